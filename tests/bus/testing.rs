//! The testing kit (feature `testing`): a bus that records its messages, and a clock that the test
//! moves.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::time::Duration;

use crate::acts::{Act, Actor, Steps, ready};
use arcbus::middleware::Timeout;
use arcbus::testing::{FakeClock, Recorder, poll_once};
use arcbus::{
    CancelToken, Command, CommandBus, Context, Dispatch, Error, Message, Outcome, Phase, Query,
    TimeLimit,
};

const SECOND: Duration = Duration::from_secs(1);

/// A message that can neither be cloned nor compared.
struct Find(&'static str);

impl Message for Find {
    const NAME: &'static str = "find";
    type Kind = Query;
    type Reply = Box<u32>;
    type Error = String;
}

#[derive(Debug, PartialEq)]
struct Store(u32);

impl Message for Store {
    const NAME: &'static str = "store";
    type Kind = Command;
    type Reply = ();
    type Error = String;
}

/// The code under test, which finds a number and stores twice its value.
fn double(
    bus: &mut (impl Dispatch<Find> + Dispatch<Store>),
    name: &'static str,
) -> Result<(), Error<String>> {
    let found = bus.execute_blocking(Find(name))?;
    bus.execute_blocking(Store(*found * 2))
}

/// An async variant of `double` that takes a context.
async fn double_in(
    mut bus: impl Dispatch<Find> + Dispatch<Store> + Send,
    cx: &Context<'_>,
) -> Result<(), Error<String>> {
    let found = bus.execute_in(cx, Find("a")).await?;
    bus.execute_in(cx, Store(*found * 2)).await
}

#[test]
fn canned_replies_come_in_order_for_each_message_type() {
    let mut bus = Recorder::new();
    bus.reply::<Find>(Ok(Box::new(1)))
        .reply::<Store>(Ok(()))
        .reply::<Find>(Ok(Box::new(2)))
        .reply::<Store>(Err(Error::Handler("full".into())))
        .reply::<Find>(Err(Error::Overloaded { limit: 3 }));
    assert_eq!(double(&mut bus, "a"), Ok(()));
    assert_eq!(double(&mut bus, "b"), Err(Error::Handler("full".into())));
    assert_eq!(double(&mut bus, "c"), Err(Error::Overloaded { limit: 3 }));
    bus.assert_sent([Store(2), Store(4)]);
    bus.assert_sent::<Act>([]);
    bus.assert_order(["find", "store", "find", "store", "find"]);
    bus.assert_all_replied();
    let found: Vec<_> = bus.sent::<Find>().iter().map(|find| find.0).collect();
    assert_eq!(found, ["a", "b", "c"]);
    assert_eq!(
        format!("{bus:?}"),
        r#"Recorder { sent: ["find", "store", "find", "store", "find"], .. }"#
    );
}

#[test]
fn an_answer_sees_message_and_context_and_follows_the_canned_replies() {
    let clock = FakeClock::new();
    let bus = Recorder::new().clock(clock.clone());
    bus.reply::<Find>(Ok(Box::new(100)));
    bus.reply_with(|msg: &Find, cx: &Context<'_>| {
        assert_eq!(cx.remaining(), Some(SECOND));
        Ok(Box::new(msg.0.len() as u32))
    });
    bus.reply_with(|_: &Store, cx: &Context<'_>| match cx.get::<&str>() {
        Some(&"tenant") => Ok(()),
        _ => Err(Error::Handler("no tenant".into())),
    });
    let cx = Context::new().timeout(SECOND).with("tenant");
    for _ in 0..2 {
        assert_eq!(ready(double_in(&bus, &cx)), Some(Ok(())));
    }
    assert_eq!(ready(double_in(bus.clone(), &cx)), Some(Ok(())));
    bus.assert_sent([Store(200), Store(2), Store(2)]);
    bus.reply_with(|_: &Store, _: &Context<'_>| Err(Error::Handler("full".into())));
    assert!(ready(double_in(&bus, &cx)).expect("ready").is_err());
}

#[test]
fn an_answer_may_use_the_recorder() {
    let bus = Recorder::new();
    let own = bus.clone();
    bus.reply_with(move |msg: &Act, cx: &Context<'_>| match msg {
        Act::Answer(0) => Ok(0),
        Act::Answer(n) => Dispatch::execute_blocking_in(&mut &own, cx, Act::Answer(n - 1)),
        _ => Ok(own.order().len() as u32),
    });
    assert_eq!(bus.execute_blocking(Act::Answer(3)), Ok(0));
    assert_eq!(bus.execute_blocking(Act::Fail), Ok(5));
}

/// Returns the text of the panic in which `work` ends.
fn panic_of(work: impl FnOnce()) -> String {
    let payload = catch_unwind(AssertUnwindSafe(work)).expect_err("it panics");
    *payload.downcast().expect("a formatted message")
}

#[test]
fn a_message_without_a_reply_panics_with_its_name() {
    let bus = Recorder::new();
    bus.reply::<Find>(Ok(Box::new(1)));
    let text = panic_of(|| drop(double(&mut &bus, "a")));
    assert_eq!(
        text,
        "the recorder has no reply left for 'store' (bus::testing::Store), sent after [\"find\"]: add \
         one with `reply` or `reply_with`"
    );
    bus.assert_order(["find", "store"]);
    let text = panic_of(|| drop(ready(bus.execute(Store(1)))));
    assert!(text.contains("'store'"), "{text}");
}

#[test]
fn a_failed_assertion_names_the_message() {
    let bus = Recorder::new();
    bus.reply::<Store>(Ok(())).reply::<Store>(Ok(()));
    assert_eq!(bus.execute_blocking(Store(1)), Ok(()));
    let text = panic_of(|| bus.assert_sent([Store(2)]));
    assert!(text.contains("'store' (bus::testing::Store)"), "{text}");
    assert!(text.contains("left: [Store(1)]"), "{text}");
    let text = panic_of(|| bus.assert_order(["find"]));
    assert!(text.contains(r#"left: ["store"]"#), "{text}");
    let text = panic_of(|| bus.assert_all_replied());
    assert_eq!(text, r#"unused replies, by message: [("store", 1)]"#);
}

#[test]
fn a_recording_bus_rejects_the_messages_that_a_bus_rejects() {
    let clock = FakeClock::new();
    let bus = Recorder::new().clock(clock.clone());
    let both = |cx: &Context<'_>, msg: Act| -> [Outcome<Act>; 2] {
        let awaited = ready(bus.execute_with(msg, cx.clone())).expect("ready");
        [bus.execute_blocking_with(msg, cx.clone()), awaited]
    };
    for outcome in both(&Context::new(), Act::Invalid) {
        assert!(outcome.unwrap_err().is_invalid());
    }
    let token = CancelToken::new();
    token.cancel();
    for outcome in both(&Context::new().cancel_on(token), Act::Fail) {
        let phase = Phase::NotStarted;
        assert_eq!(outcome, Err(Error::Cancelled { phase }));
    }
    let cx = Context::new().deadline(clock.now());
    clock.advance(SECOND);
    for outcome in both(&cx, Act::Fail) {
        let (phase, elapsed) = (Phase::NotStarted, SECOND);
        assert_eq!(
            outcome,
            Err(Error::Timeout {
                phase,
                elapsed,
                limit: TimeLimit::Caller
            })
        );
    }
    assert_eq!(bus.sent::<Act>().len(), 6, "it was sent all the same");
}

#[test]
fn a_dispatch_is_recorded_at_its_first_poll() {
    let bus = Recorder::new();
    bus.reply::<Store>(Ok(()));
    let mut dispatch = pin!(bus.execute(Store(1)));
    bus.assert_order([]);
    assert_eq!(poll_once(&mut dispatch), Some(Ok(())));
    bus.assert_order(["store"]);
}

#[test]
fn a_fake_clock_is_fast_forwarded() {
    let (clock, steps) = (FakeClock::new(), Steps::default());
    let bus = CommandBus::builder()
        .clock(clock.clone())
        .layer(Timeout::new(SECOND * 3600))
        .register(Actor(steps.clone()))
        .build()
        .expect("in range");
    let mut dispatch = bus.execute(Act::Wait);
    assert_eq!(poll_once(&mut dispatch), None);
    clock.advance(SECOND * 3599);
    assert_eq!(poll_once(&mut dispatch), None);
    clock.advance(SECOND);
    let outcome = poll_once(&mut dispatch).expect("its time is over");
    assert!(outcome.unwrap_err().is_timeout());
    assert_eq!(steps.take(), "handle gone");
}

#[test]
fn threads_share_a_recorder() {
    let bus = Recorder::new();
    bus.reply_with(|_: &Store, _cx: &Context<'_>| Ok(()));
    std::thread::scope(|scope| {
        for n in 0..4 {
            let mut bus = bus.clone();
            scope.spawn(move || Dispatch::execute_blocking(&mut bus, Store(n)));
        }
    });
    assert_eq!(bus.sent::<Store>().len(), 4);
}
