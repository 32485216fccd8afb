//! The end of a panic. A panic of a handler or a validation becomes an error, and a panic of a
//! middleware or of a drop half way reaches the caller. In both cases, permits are given back and
//! the bus goes on.

use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use acts::{Act, Actor, Steps, block, each_lane, poll_once};
use arcbus::{
    Command, CommandBus, Context, Error, Gate, Gated, Handler, Message, Middleware, Next, Outcome,
    Violations, from_fn,
};

use crate::acts;
use crate::marks::MarkGate;

/// The moment at which a [`Fragile`] layer panics, before or after the handler.
#[derive(Clone, Copy, PartialEq)]
enum When {
    Before,
    After,
}

/// A layer that panics for [`Act::Fail`], as a gate and as a middleware.
struct Fragile(When);

impl Gate<Act> for Fragile {
    type Pass<'a> = ();

    fn enter(&self, msg: &Act, _cx: &Context<'_>) -> Result<(), Error<String>> {
        assert!(self.0 == When::After || *msg != Act::Fail, "fragile");
        Ok(())
    }

    fn leave(&self, (): (), outcome: &Outcome<Act>, _cx: &Context<'_>) {
        assert!(outcome.is_ok(), "fragile");
    }
}

impl Middleware<Act> for Fragile {
    async fn handle(&self, msg: Act, cx: &Context<'_>, next: &impl Next<Act>) -> Outcome<Act> {
        self.enter(&msg, cx)?;
        let outcome = next.run(msg, cx).await;
        self.leave((), &outcome, cx);
        outcome
    }
}

fn bus(fragile: impl Middleware<Act>, steps: &Steps) -> CommandBus {
    CommandBus::builder()
        .wrap(Gated(MarkGate("a", steps.clone())))
        .wrap(fragile)
        .register(Actor(steps.clone()))
        .build()
        .expect("one name")
}

/// Returns the text of the panic in which `work` ends.
fn panic_of<T>(work: impl FnOnce() -> T) -> String {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(_) => "no panic".to_owned(),
        Err(payload) => payload
            .downcast_ref::<&str>()
            .map_or_else(|| "no text".to_owned(), |text| (*text).to_owned()),
    }
}

fn a_panic_goes_to_the_caller(fragile: impl Middleware<Act>, expected: &str) {
    let steps = Steps::default();
    let bus = bus(fragile, &steps);
    assert_eq!(panic_of(|| bus.execute_blocking(Act::Fail)), "fragile");
    assert_eq!(steps.take(), expected);
    assert_eq!(panic_of(|| acts::ready(bus.execute(Act::Fail))), "fragile");
    assert_eq!(steps.take(), expected);
    assert_eq!(each_lane(&bus, Act::Answer(1)), [Ok(1), Ok(1)]);
    let one = "a> handle <a:ok -a";
    assert_eq!(steps.take(), format!("{one} {one}"));
}

#[test]
fn a_panic_of_a_gate_goes_to_the_caller() {
    a_panic_goes_to_the_caller(Gated(Fragile(When::Before)), "a> -a");
    a_panic_goes_to_the_caller(Gated(Fragile(When::After)), "a> handle -a");
}

#[test]
fn a_panic_of_a_middleware_goes_to_the_caller() {
    a_panic_goes_to_the_caller(Fragile(When::Before), "a> -a");
    a_panic_goes_to_the_caller(Fragile(When::After), "a> handle -a");
}

/// A message whose own validation panics before the handler runs.
#[derive(Clone)]
struct Odd;

impl Message for Odd {
    const NAME: &'static str = "odd";
    type Kind = Command;
    type Reply = ();
    type Error = String;

    fn validate(&self) -> Result<(), Violations> {
        panic!("a validation")
    }
}

#[test]
fn a_panic_of_a_validation_is_an_error() {
    let steps = Steps::default();
    let bus = CommandBus::builder()
        .wrap(Gated(MarkGate("a", steps.clone())))
        .register(from_fn(|_: Odd, _cx: &Context<'_>| Ok(())))
        .build()
        .expect("one name");
    let message = "a validation";
    let panicked = || {
        Err(Error::Panicked {
            message: message.into(),
        })
    };
    assert_eq!(each_lane(&bus, Odd), [panicked(), panicked()]);
    let one = "a> <a:panicked -a";
    assert_eq!(steps.take(), format!("{one} {one}"));
}

/// A handler that panics while making its future, before there is one.
struct Hasty;

impl Handler<Act> for Hasty {
    #[allow(
        unreachable_code,
        reason = "the panic stands in for code before the future"
    )]
    fn handle(
        &self,
        _msg: Act,
        _cx: &Context<'_>,
    ) -> impl Future<Output = Result<u32, String>> + Send {
        panic!("hasty");
        std::future::ready(Ok(1))
    }
}

#[test]
fn a_panic_before_the_future_exists_is_an_error() {
    let bus = CommandBus::builder()
        .register(Hasty)
        .build()
        .expect("one name");
    for outcome in each_lane(&bus, Act::Fail) {
        let message = "hasty".into();
        assert_eq!(outcome, Err(Error::Panicked { message }));
    }
}

/// A handler whose waiting future panics when it is dropped.
struct Sore;

struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("a drop");
    }
}

impl Handler<Act> for Sore {
    async fn handle(&self, msg: Act, _cx: &Context<'_>) -> Result<u32, String> {
        if msg == Act::Wait {
            let _bomb = Bomb;
            pending::<()>().await;
        }
        Ok(1)
    }
}

#[test]
fn a_panic_of_a_future_dropped_half_way_stays_in_the_bus() {
    let bus = CommandBus::builder()
        .register(Sore)
        .build()
        .expect("one name");
    let timeout = || Context::new().timeout(Duration::from_millis(5));
    let blocked = bus.execute_blocking_with(Act::Wait, timeout());
    assert!(blocked.expect_err("it waits for ever").is_timeout());
    let awaited = block(bus.execute_with(Act::Wait, timeout()));
    assert!(awaited.expect_err("it waits for ever").is_timeout());
    let mut dispatch = Box::pin(bus.execute(Act::Wait));
    assert!(poll_once(dispatch.as_mut()).is_pending());
    drop(dispatch);
    assert_eq!(each_lane(&bus, Act::Fail), [Ok(1), Ok(1)]);
}
