//! Attempts that fail, and callers that go away.

use arcbus::middleware::{Bulkhead, Hedge, Timeout};
use arcbus::{
    CancelToken, Context, Error, FakeClock, Phase, QueryBus, Rejection, TimeLimit, guard,
};

use super::replicas::{Ask, End, End::*, Hedged, MS, Replicas, ask};
use crate::acts::{Steps, poll_once};

fn hedged() -> Hedged {
    Hedged::new(Hedge::after(MS * 10))
}

fn error(text: &str) -> Error<String> {
    match text.starts_with("panicked") {
        true => Error::Panicked {
            message: text.into(),
        },
        false => Error::Handler(text.into()),
    }
}

#[test]
fn a_first_attempt_that_fails_before_its_hedge_fails_the_dispatch() {
    for (end, text) in [
        (Fail, "failed 1"),
        (Refuse, "refused 1"),
        (Panic, "panicked 1"),
    ] {
        let hedged = hedged();
        let mut sent = hedged.send(ask([(9, end), (0, Reply)]));
        assert_eq!(sent.run(), (9, Err(error(text))));
        let outcomes = hedged.lanes(&ask([(0, end), (0, Reply)]));
        assert_eq!(outcomes, [Err(error(text)), Err(error(text))]);
        assert_eq!(hedged.counts(), (0, 0, 0));
    }
}

#[test]
fn two_attempts_end_in_the_expected_outcome() {
    type Case = ([(u32, End); 2], u32, Result<u32, &'static str>);
    let cases: [Case; 12] = [
        // The first attempt fails, and the hedge goes on.
        ([(12, Fail), (5, Reply)], 15, Ok(2)),
        ([(12, Panic), (5, Reply)], 15, Ok(2)),
        // The hedge fails, and the first attempt goes on.
        ([(20, Reply), (5, Fail)], 20, Ok(1)),
        ([(20, Reply), (0, Panic)], 20, Ok(1)),
        // Both attempts fail, and the outcome is the error of the first attempt, even if it came
        // last.
        ([(12, Fail), (5, Fail)], 15, Err("failed 1")),
        ([(20, Fail), (5, Fail)], 20, Err("failed 1")),
        ([(20, Panic), (5, Fail)], 20, Err("panicked 1")),
        ([(12, Fail), (5, Panic)], 15, Err("failed 1")),
        // An error that blames the message is an answer, and ends the dispatch.
        ([(12, Refuse), (5, Reply)], 12, Err("refused 1")),
        ([(20, Reply), (5, Refuse)], 15, Err("refused 2")),
        ([(12, Fail), (5, Refuse)], 15, Err("refused 2")),
        ([(20, Reply), (0, Refuse)], 10, Err("refused 2")),
    ];
    for (plans, ms, expected) in cases {
        let hedged = hedged();
        let expected = expected.map_err(error);
        let ended = hedged.send(ask(plans)).run();
        assert_eq!(ended, (ms, expected.clone()), "{plans:?}");
        assert_eq!(
            hedged.lanes(&ask(plans)),
            [expected.clone(), expected],
            "{plans:?}"
        );
    }
}

#[test]
fn after_a_failure_no_further_hedge_is_begun() {
    let third_would_win = [
        [(12, Fail), (100, Reply), (0, Reply)],
        [(100, Reply), (5, Fail), (0, Reply)],
    ];
    for (plans, ms) in third_would_win.into_iter().zip([110, 100]) {
        let hedged = Hedged::new(Hedge::after(MS * 10).max_hedges(2));
        assert_eq!(hedged.send(ask(plans)).run().0, ms, "{plans:?}");
        assert_eq!(hedged.counts().0, 1);
    }
}

#[test]
fn the_callers_token_stops_every_attempt() {
    let hedged = Hedged::new(Hedge::after(MS * 10).max_hedges(2));
    let slow = (100, Reply);
    let token = CancelToken::new();
    let cx = Context::new().cancel_on(token.clone());
    let mut sent = hedged.send_with(ask([slow; 3]), cx);
    assert_eq!((sent.poll(), sent.pass(15)), (None, None));
    token.cancel();
    let phase = Phase::Indeterminate;
    assert_eq!(sent.poll(), Some(Err(Error::Cancelled { phase })));
    assert_eq!(hedged.steps.take(), "1> 2> <1 <2");
}

#[test]
fn no_attempt_starts_after_the_caller_has_cancelled() {
    let hedged = hedged();
    let token = CancelToken::new();
    let cx = Context::new().cancel_on(token.clone());
    let mut sent = hedged.send_with(ask([(100, Reply), (0, Reply)]), cx);
    assert_eq!(sent.poll(), None);
    hedged.clock.advance(MS * 10);
    token.cancel();
    assert!(
        sent.poll()
            .expect("stopped")
            .is_err_and(|error| error.is_cancelled())
    );
    assert_eq!(
        (hedged.steps.take(), hedged.counts()),
        ("1> <1".into(), (0, 0, 0))
    );
}

#[test]
fn the_deadline_stops_every_attempt_and_no_attempt_starts_after_it() {
    for (delay, steps, fired) in [(10, "1> 2> <1 <2", 1), (15, "1> <1", 0), (20, "1> <1", 0)] {
        let hedged = Hedged::new(Hedge::after(MS * delay));
        let cx = Context::new().timeout(MS * 15);
        let (ms, outcome) = hedged.send_with(ask([(100, Reply); 2]), cx.clone()).run();
        let late = Err(Error::Timeout {
            phase: Phase::Indeterminate,
            elapsed: MS * 15,
            limit: TimeLimit::Caller,
        });
        assert_eq!((ms, outcome), (15, late));
        assert_eq!(hedged.steps.take(), steps);
        assert_eq!(hedged.counts(), (fired, 0, 0));
        for outcome in hedged.lanes_with(&ask([(100, Reply); 2]), &cx) {
            assert!(outcome.unwrap_err().is_timeout());
        }
    }
}

#[test]
fn a_clock_that_jumps_past_the_deadline_starts_no_attempt() {
    let hedged = hedged();
    let cx = Context::new().timeout(MS * 15);
    let mut sent = hedged.send_with(ask([(100, Reply), (0, Reply)]), cx);
    assert_eq!(sent.poll(), None);
    hedged.clock.advance(MS * 20);
    assert!(
        sent.poll()
            .expect("stopped")
            .is_err_and(|error| error.is_timeout())
    );
    assert_eq!(
        (hedged.steps.take(), hedged.counts()),
        ("1> <1".into(), (0, 0, 0))
    );
}

#[test]
fn a_timeout_outside_ends_all_attempts() {
    let hedged = Hedged::between(
        |clock| {
            QueryBus::builder()
                .clock(clock)
                .layer(Timeout::new(MS * 15))
        },
        Hedge::after(MS * 10).max_hedges(9),
    );
    for outcome in hedged.lanes(&ask([(100, Reply); 10])) {
        assert!(outcome.unwrap_err().is_timeout());
    }
    let steps = hedged.steps.take();
    assert_eq!(steps.matches('>').count(), steps.matches('<').count());
    let mut sent = hedged.send(ask([(100, Reply); 10]));
    assert_eq!(sent.run().0, 15);
    assert_eq!(hedged.steps.take(), "1> 2> <1 <2");
}

/// Builds a bus with `layer` between hedge and handler.
fn with_inner<L: arcbus::Layer<Ask>>(hedge: Hedge, layer: L) -> (QueryBus, FakeClock, Steps) {
    let (clock, steps) = (FakeClock::new(), Steps::default());
    let replicas = Replicas {
        clock: clock.clone(),
        steps: steps.clone(),
    };
    let bus = QueryBus::builder()
        .clock(clock.clone())
        .scope(|s| s.layer(hedge).layer(layer).register::<Ask, _>(replicas))
        .build()
        .expect("in range");
    (bus, clock, steps)
}

/// Polls once in each millisecond until the dispatch is done.
fn run(bus: &QueryBus, clock: &FakeClock, msg: Ask) -> (u32, Result<u32, Error<String>>) {
    let mut dispatch = Box::pin(bus.execute(msg));
    for ms in 0..1_000 {
        if let std::task::Poll::Ready(outcome) = poll_once(dispatch.as_mut()) {
            return (ms, outcome);
        }
        clock.advance(MS);
    }
    panic!("it ends");
}

#[test]
fn a_timeout_inside_gives_each_attempt_its_own_time() {
    let (bus, clock, steps) = with_inner(Hedge::after(MS * 10), Timeout::new(MS * 15));
    let (ms, outcome) = run(&bus, &clock, ask([(100, Reply), (14, Reply)]));
    assert_eq!((ms, outcome), (24, Ok(2)));
    assert_eq!(steps.take(), "1> 2> <1 <2");
    let (ms, outcome) = run(&bus, &clock, ask([(100, Reply), (100, Reply)]));
    let elapsed = MS * 15;
    let phase = Phase::Indeterminate;
    assert_eq!(
        (ms, outcome),
        (
            25,
            Err(Error::Timeout {
                phase,
                elapsed,
                limit: TimeLimit::Layer
            })
        )
    );
}

#[test]
fn a_hedge_refused_by_a_bulkhead_does_not_end_the_first_attempt() {
    let bulkhead = Bulkhead::new(1);
    let handles = bulkhead.handles();
    let (bus, clock, steps) = with_inner(Hedge::after(MS * 10), bulkhead);
    let (ms, outcome) = run(&bus, &clock, ask([(50, Reply), (0, Reply)]));
    assert_eq!((ms, outcome), (50, Ok(1)));
    assert_eq!(steps.take(), "1> <1");

    let policy = handles.get("ask").expect("registered");
    policy.set_limit(2).expect("in range");
    let (ms, outcome) = run(&bus, &clock, ask([(50, Reply), (2, Reply)]));
    assert_eq!((ms, outcome, policy.usage().in_use), (12, Ok(2), 0));
}

#[test]
fn a_rejected_hedge_decides_the_outcome() {
    let layer = guard(|_: &Ask, cx: &Context<'_>| match cx.attempt() {
        1 => Ok(()),
        _ => Err(Rejection::new("only one")),
    });
    let (clock, steps) = (FakeClock::new(), Steps::default());
    let replicas = Replicas {
        clock: clock.clone(),
        steps: steps.clone(),
    };
    let bus = QueryBus::builder()
        .clock(clock.clone())
        .scope(|s| {
            let s = s.layer(Hedge::after(MS * 10)).wrap(layer);
            s.register::<Ask, _>(replicas)
        })
        .build()
        .expect("in range");
    let (ms, outcome) = run(&bus, &clock, ask([(50, Reply), (0, Reply)]));
    assert_eq!(ms, 10);
    assert!(outcome.unwrap_err().is_rejected());
    assert_eq!(steps.take(), "1> <1");
}
