//! What a gate sees, and that its pass is dropped once, after the handler, however a dispatch ends.

use std::pin::pin;
use std::time::Duration;

use acts::{Act, Actor, Steps, each_lane, poll_once};
use arcbus::{
    CancelToken, CommandBus, Context, Error, FakeClock, Gated, Phase, Rejection, TimeLimit,
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

/// The steps of a dispatch, which are the same in both lanes.
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
fn a_refusal_ends_the_dispatch_where_it_happens() {
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
