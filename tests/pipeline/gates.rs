//! A gate sees every outcome, and its pass is dropped once, after the handler, however a dispatch
//! ends.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use acts::{Act, Actor, Noted, Steps, each_lane, poll_once};
use arcbus::{
    CancelToken, CommandBus, Context, Error, FakeClock, Gate, Gated, Layers, Message, Middleware,
    Next, Outcome, Phase, Rejection, Stack, TimeLimit,
};

use crate::acts;
use crate::marks::{Closed, MarkGate};

fn gated() -> (CommandBus, Steps, FakeClock) {
    let (steps, clock) = (Steps::default(), FakeClock::new());
    let bus = CommandBus::builder()
        .clock(clock.clone())
        .wrap(Gated(MarkGate("a", steps.clone())))
        .wrap(Gated(MarkGate("b", steps.clone())))
        .register(Actor(steps.clone()))
        .build()
        .expect("one name");
    (bus, steps, clock)
}

/// Returns the steps of a dispatch, and checks that both lanes take equal steps.
fn steps_of(act: Act) -> String {
    let (bus, steps, _) = gated();
    let _ = bus.execute_blocking(act);
    let blocking = steps.take();
    let _ = acts::ready(bus.execute(act)).expect("it does not wait");
    assert_eq!(steps.take(), blocking);
    blocking
}

#[test]
fn gates_see_every_outcome_and_give_their_pass_back() {
    assert_eq!(steps_of(Act::Answer(1)), "a> b> handle <b:ok -b <a:ok -a");
    assert_eq!(
        steps_of(Act::Fail),
        "a> b> handle <b:failed -b <a:failed -a"
    );
    assert_eq!(
        steps_of(Act::Panic),
        "a> b> handle <b:panicked -b <a:panicked -a"
    );
    assert_eq!(steps_of(Act::Invalid), "a> b> <b:other -b <a:other -a");
}

#[test]
fn a_refusal_by_a_gate_ends_the_dispatch_there() {
    let steps = Steps::default();
    let bus = CommandBus::builder()
        .wrap(Gated(MarkGate("outer", steps.clone())))
        .wrap(Gated(Closed))
        .wrap(Gated(MarkGate("inner", steps.clone())))
        .register(Actor(steps.clone()))
        .build()
        .expect("one name");
    let refused = || Err(Rejection::new("closed").into());
    assert_eq!(each_lane(&bus, Act::Answer(1)), [refused(), refused()]);
    let one = "outer> <outer:rejected -outer";
    assert_eq!(steps.take(), format!("{one} {one}"));
}

#[test]
fn a_dispatch_dropped_half_way_gives_its_passes_back_after_the_handler() {
    let (bus, steps, _) = gated();
    {
        let mut dispatch = pin!(bus.execute(Act::Wait));
        assert!(poll_once(dispatch.as_mut()).is_pending());
        assert!(poll_once(dispatch.as_mut()).is_pending());
        assert_eq!(steps.take(), "a> b> handle");
    }
    assert_eq!(steps.take(), "gone -b -a");
}

#[test]
fn a_deadline_gives_the_passes_back_without_a_leave() {
    let (bus, steps, clock) = gated();
    let limit = Duration::from_secs(30);
    let mut dispatch = Box::pin(bus.execute_with(Act::Wait, Context::new().timeout(limit)));
    assert!(poll_once(dispatch.as_mut()).is_pending());
    clock.advance(limit);
    let late = Error::Timeout {
        phase: Phase::Indeterminate,
        elapsed: limit,
        limit: TimeLimit::Caller,
    };
    assert_eq!(acts::ready(dispatch), Some(Err(late)));
    assert_eq!(steps.take(), "a> b> handle gone -b -a");
}

#[test]
fn a_cancellation_gives_the_passes_back_without_a_leave_in_both_lanes() {
    let (bus, steps, _) = gated();
    let token = CancelToken::new();
    let cx = || Context::new().cancel_on(token.clone());
    let cancelled = || {
        let phase = Phase::Indeterminate;
        Some(Err(Error::Cancelled { phase }))
    };
    let mut dispatch = Box::pin(bus.execute_with(Act::Wait, cx()));
    assert!(poll_once(dispatch.as_mut()).is_pending());
    assert_eq!(steps.take(), "a> b> handle");
    std::thread::scope(|scope| {
        let blocking = scope.spawn(|| bus.execute_blocking_with(Act::Wait, cx()));
        while !steps.contain("handle") {
            std::thread::yield_now();
        }
        token.cancel();
        assert_eq!(blocking.join().ok(), cancelled());
    });
    assert_eq!(steps.take(), "a> b> handle gone -b -a");
    assert_eq!(acts::ready(dispatch), cancelled());
    assert_eq!(steps.take(), "gone -b -a");
}

/// A limit of a user, whose permits borrow the limit.
#[derive(Default)]
struct OneAtATime {
    running: AtomicUsize,
}

struct Permit<'a>(&'a OneAtATime);

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::AcqRel);
    }
}

impl<M: Message> Gate<M> for OneAtATime {
    type Pass<'a> = Permit<'a>;

    fn enter<'a>(&'a self, _msg: &M, _cx: &Context<'_>) -> Result<Permit<'a>, Error<M::Error>> {
        let running = self.running.fetch_add(1, Ordering::AcqRel);
        let permit = Permit(self);
        match running {
            0 => Ok(permit),
            _ => Err(Rejection::new("full").into()),
        }
    }

    fn leave<'a>(&'a self, _permit: Permit<'a>, _outcome: &Outcome<M>, _cx: &Context<'_>) {}
}

/// Panics instead of running the inner service.
struct Fragile;

impl<M: Message> Middleware<M> for Fragile {
    async fn handle(&self, _msg: M, _cx: &Context<'_>, _next: &impl Next<M>) -> Outcome<M> {
        panic!("fragile")
    }
}

fn bus_of<S: Stack<Act>>(layers: &Layers<S>, steps: &Steps) -> CommandBus {
    let bus = CommandBus::builder().layers(layers);
    let bus = bus.register(Actor(steps.clone())).build();
    bus.expect("one name")
}

fn a_borrowed_permit_is_given_back_after_every_end<S: Stack<Act>>(layers: &Layers<S>) {
    let bus = bus_of(layers, &Steps::default());
    let assert_free = || assert_eq!(each_lane(&bus, Act::Answer(1)), [Ok(1), Ok(1)]);
    for act in [Act::Answer(1), Act::Fail, Act::Panic, Act::Invalid] {
        let _ = each_lane(&bus, act);
        assert_free();
    }
    let mut held = Box::pin(bus.execute(Act::Wait));
    assert!(poll_once(held.as_mut()).is_pending());
    let full = || Err(Rejection::new("full").into());
    assert_eq!(each_lane(&bus, Act::Answer(1)), [full(), full()]);
    drop(held);
    assert_free();
    cancel_half_way(&bus);
    assert_free();
}

/// Cancels a blocking dispatch that waits. The gate may refuse this dispatch at first, while another one runs.
fn cancel_half_way(bus: &CommandBus) {
    let token = CancelToken::new();
    let cx = Context::new().cancel_on(token.clone());
    let wait = || bus.execute_blocking_with(Act::Wait, cx.clone());
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            let mut outcomes = std::iter::repeat_with(wait);
            let not_refused =
                |outcome: &Outcome<Act>| !outcome.as_ref().is_err_and(Error::is_rejected);
            outcomes.find(not_refused).expect("endless")
        });
        while bus.execute_blocking(Act::Answer(1)).is_ok() {
            std::thread::yield_now();
        }
        token.cancel();
        let outcome = waiting.join().expect("it does not panic");
        assert!(outcome.expect_err("it was cancelled").is_cancelled());
    });
}

#[test]
fn a_users_permit_may_borrow_its_gate_in_both_lanes() {
    let gate = Gated(OneAtATime::default());
    a_borrowed_permit_is_given_back_after_every_end(&Layers::new().wrap(gate));
}

#[test]
fn a_users_permit_may_borrow_a_gate_that_is_optional() {
    let inside = Gated(Some(OneAtATime::default()));
    a_borrowed_permit_is_given_back_after_every_end(&Layers::new().wrap(inside));
    let outside = Some(Gated(OneAtATime::default()));
    a_borrowed_permit_is_given_back_after_every_end(&Layers::new().wrap(outside));
    let shared = Arc::new(Gated(OneAtATime::default()));
    a_borrowed_permit_is_given_back_after_every_end(&Layers::new().wrap(shared));
}

#[test]
fn an_absent_gate_lets_everything_pass() {
    let layers = Layers::new()
        .wrap(Gated(None::<Closed>))
        .wrap(None::<Gated<Closed>>)
        .wrap(None::<Gated<OneAtATime>>);
    let steps = Steps::default();
    let bus = bus_of(&layers, &steps);
    assert_eq!(each_lane(&bus, Act::Answer(1)), [Ok(1), Ok(1)]);
    let mut dispatches = [(); 2].map(|()| Box::pin(bus.execute(Act::Wait)));
    for dispatch in &mut dispatches {
        assert!(poll_once(dispatch.as_mut()).is_pending());
    }
    drop(dispatches);
    assert_eq!(steps.take(), "handle handle handle handle gone gone");
}

/// A gate that notes `[` and `]` around each run of the inner service, `>` and `<` when a message enters and
/// leaves, `~` when it is abandoned.
struct Around(Steps);

impl<M: Message> Gate<M> for Around {
    type Pass<'a> = &'a Steps;

    fn enter<'a>(&'a self, _msg: &M, _cx: &Context<'_>) -> Result<&'a Steps, Error<M::Error>> {
        self.0.note(">");
        Ok(&self.0)
    }

    fn leave<'a>(&'a self, steps: &'a Steps, _outcome: &Outcome<M>, _cx: &Context<'_>) {
        steps.note("<");
    }

    fn abandon<'a>(&'a self, steps: &'a Steps, _cx: &Context<'_>) {
        steps.note("~");
    }

    fn surround<'a>(&'a self, steps: &&'a Steps) -> impl Sized {
        steps.note("[");
        Noted((*steps).clone(), "]".into())
    }
}

fn around(steps: &Steps) -> Gated<Around> {
    Gated(Around(steps.clone()))
}

#[test]
fn a_guard_is_held_each_time_the_inner_service_runs() {
    let steps = Steps::default();
    let bus = bus_of(&Layers::new().wrap(around(&steps)), &steps);
    assert_eq!(bus.execute_blocking(Act::Answer(1)), Ok(1));
    assert_eq!(steps.take(), "> [ handle ] <");
    assert_eq!(acts::ready(bus.execute(Act::Answer(1))), Some(Ok(1)));
    assert_eq!(steps.take(), "> [ ] [ handle ] <");
    let mut dispatch = Box::pin(bus.execute(Act::Wait));
    assert!(poll_once(dispatch.as_mut()).is_pending());
    assert!(poll_once(dispatch.as_mut()).is_pending());
    assert_eq!(steps.take(), "> [ ] [ handle ] [ ]");
    drop(dispatch);
    assert_eq!(steps.take(), "[ gone ] ~");
}

#[test]
fn an_optional_gate_acts_like_its_inner_gate() {
    let steps = Steps::default();
    let optional = Gated(Some(Around(steps.clone())));
    let bus = bus_of(&Layers::new().wrap(optional), &steps);
    let mut dispatch = Box::pin(bus.execute(Act::Wait));
    assert!(poll_once(dispatch.as_mut()).is_pending());
    drop(dispatch);
    assert_eq!(steps.take(), "> [ ] [ handle ] [ gone ] ~");
}

#[test]
fn a_pass_is_abandoned_when_an_inner_layer_panics() {
    let steps = Steps::default();
    let layers = Layers::new()
        .wrap(Gated(MarkGate("a", steps.clone())))
        .wrap(around(&steps))
        .wrap(Fragile);
    let bus = bus_of(&layers, &steps);
    let blocking = || bus.execute_blocking(Act::Answer(1));
    assert!(catch_unwind(AssertUnwindSafe(blocking)).is_err());
    assert_eq!(steps.take(), "a> > [ ] ~ -a");
    let awaited = || acts::ready(bus.execute(Act::Answer(1)));
    assert!(catch_unwind(AssertUnwindSafe(awaited)).is_err());
    assert_eq!(steps.take(), "a> > [ ] [ ] [ ] ~ -a");
}
