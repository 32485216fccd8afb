//! The choice of the attempt that is the outcome, and the moment of the choice.

use std::sync::Arc;
use std::task::{Context as Task, Wake, Waker};
use std::thread;

use arcbus::metrics::Metrics;
use arcbus::middleware::{Budget, Fallback, Hedge, Retry};
use arcbus::{Context, Message, Middleware, Next, Outcome, QueryBus, Source};

use super::replicas::{End::*, Hedged, MS, ask};
use crate::acts::{Steps, ready};

fn after(ms: u32) -> Hedge {
    Hedge::after(MS * ms)
}

#[test]
fn a_ready_handler_costs_no_clock_reading_and_no_timer() {
    for hedge in [after(10), after(0), Hedge::quantile(0.5).samples(1)] {
        let hedged = Hedged::new(hedge);
        let msg = || ask([(0, Reply)]);
        let before = hedged.clock.reads();
        assert_eq!(hedged.bus.execute_blocking(msg()), Ok(1));
        assert_eq!(ready(hedged.bus.execute(msg())), Some(Ok(1)));
        assert_eq!(hedged.clock.reads(), before);
        assert_eq!(hedged.counts(), (0, 0, 0));
        assert_eq!(
            hedged.policy().samples(),
            0,
            "nothing to hedge, nothing measured"
        );
    }
}

#[test]
fn a_handler_in_time_is_not_hedged() {
    let hedged = Hedged::new(after(10));
    let mut sent = hedged.send(ask([(9, Reply)]));
    assert_eq!(sent.run(), (9, Ok(1)));
    assert_eq!(
        (hedged.steps.take(), hedged.counts()),
        ("1> <1".into(), (0, 0, 0))
    );
}

#[test]
fn a_hedge_starts_at_its_delay_and_wins_and_the_first_attempt_is_dropped() {
    let hedged = Hedged::new(after(10));
    let mut sent = hedged.send(ask([(100, Reply), (5, Reply)]));
    assert_eq!((sent.poll(), sent.pass(9)), (None, None));
    assert_eq!(hedged.steps.take(), "1>");
    assert_eq!(sent.pass(1), None);
    assert_eq!(hedged.steps.take(), "2>");
    assert_eq!(sent.pass(5), Some(Ok(2)));
    assert_eq!(
        hedged.steps.take(),
        "<2 <1",
        "though the dispatch is still there"
    );
    assert_eq!(hedged.counts(), (1, 1, 0));
    drop(sent);
}

#[test]
fn the_first_attempt_may_win_after_all() {
    let hedged = Hedged::new(after(10));
    let mut sent = hedged.send(ask([(12, Reply), (5, Reply)]));
    assert_eq!(sent.run(), (12, Ok(1)));
    assert_eq!(hedged.steps.take(), "1> 2> <1 <2");
    assert_eq!(hedged.counts(), (1, 0, 0));
}

#[test]
fn a_hedge_ready_at_once_is_the_outcome() {
    let hedged = Hedged::new(after(10));
    let mut sent = hedged.send(ask([(100, Reply), (0, Reply)]));
    assert_eq!(sent.run(), (10, Ok(2)));
    assert_eq!(hedged.steps.take(), "1> 2> <2 <1");
}

#[test]
fn without_a_delay_the_hedge_starts_with_the_first_wait() {
    let hedged = Hedged::new(after(0));
    assert_eq!(hedged.send(ask([(9, Reply), (0, Reply)])).run(), (0, Ok(2)));
    assert_eq!(hedged.send(ask([(9, Reply), (2, Reply)])).run(), (2, Ok(2)));
}

#[test]
fn both_lanes_hedge() {
    let hedged = Hedged::new(after(10));
    let outcomes = hedged.lanes(&ask([(100, Reply), (5, Reply)]));
    assert_eq!(outcomes, [Ok(2), Ok(2)]);
    assert_eq!(hedged.steps.take(), "1> 2> <2 <1 1> 2> <2 <1");
    let outcomes = hedged.lanes(&ask([(5, Reply)]));
    assert_eq!(outcomes, [Ok(1), Ok(1)]);
    assert_eq!(hedged.counts(), (2, 2, 0));
}

#[test]
fn each_allowed_hedge_starts_after_another_delay() {
    let hedged = Hedged::new(after(10).max_hedges(3));
    let slow = (100, Reply);
    let mut sent = hedged.send(ask([slow, slow, slow, slow]));
    let mut begun = Vec::new();
    assert_eq!(sent.poll(), None);
    for ms in 1..100 {
        assert_eq!(sent.pass(1), None);
        let steps = hedged.steps.take();
        if ms > 1 && !steps.is_empty() {
            begun.push((ms, steps));
        }
    }
    let begun: Vec<_> = begun.iter().map(|(ms, step)| (*ms, &**step)).collect();
    assert_eq!(begun, [(10, "2>"), (20, "3>"), (30, "4>")]);
    assert_eq!(sent.pass(1), Some(Ok(1)));
    assert_eq!(hedged.counts(), (3, 0, 0));
    let hedged = Hedged::new(after(0).max_hedges(10));
    let mut plans = [slow; 11];
    plans[10] = (1, Reply);
    assert_eq!(hedged.send(ask(plans)).run(), (1, Ok(11)));
}

#[test]
fn a_timer_alone_wakes_a_hedge() {
    let hedged = Hedged::new(after(10));
    let wakes = Arc::new(Wakes);
    let mut dispatch = Box::pin(hedged.bus.execute(ask([(100, Reply), (0, Reply)])));
    let waker = Waker::from(wakes.clone());
    let mut task = Task::from_waker(&waker);
    assert!(dispatch.as_mut().poll(&mut task).is_pending());
    let before = Arc::strong_count(&wakes);
    hedged.clock.advance(MS * 10);
    assert!(Arc::strong_count(&wakes) < before, "the waker was used");
    assert!(dispatch.as_mut().poll(&mut task).is_ready());

    thread::scope(|s| {
        let waiting = s.spawn(|| hedged.bus.execute_blocking(ask([(100, Reply), (0, Reply)])));
        hedged.steps.take();
        while !waiting.is_finished() {
            hedged.clock.advance(MS);
            thread::yield_now();
        }
        assert!(waiting.join().expect("no panic").is_ok());
    });
}

struct Wakes;

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {}
}

#[test]
fn an_exhausted_budget_lets_the_first_attempt_go_on() {
    let budget = Budget::new(0.001).minimum_per_second(0).burst(1);
    let hedged = Hedged::new(after(10).budget(budget.clone()));
    let slow = || ask([(100, Reply), (0, Reply)]);
    assert_eq!(hedged.send(slow()).run(), (10, Ok(2)));
    hedged.steps.take();
    for exhausted in 1..=2 {
        assert_eq!(hedged.send(slow()).run(), (100, Ok(1)));
        assert_eq!(hedged.steps.take(), "1> <1");
        assert_eq!(hedged.counts(), (1, 1, exhausted));
        assert_eq!(budget.exhausted(), exhausted);
    }
}

#[test]
fn waiting_dispatches_deposit_and_ready_dispatches_do_not() {
    let budget = Budget::new(0.5).minimum_per_second(0).burst(1);
    let hedged = Hedged::new(after(10).budget(budget));
    let slow = || ask([(100, Reply), (0, Reply)]);
    assert_eq!(hedged.send(slow()).run(), (10, Ok(2)));
    for _ in 0..9 {
        assert_eq!(hedged.send(ask([(0, Reply)])).run(), (0, Ok(1)));
    }
    assert_eq!(hedged.send(slow()).run(), (100, Ok(1)), "half a hedge");
    assert_eq!(hedged.send(slow()).run(), (10, Ok(2)), "two halves");
}

#[test]
fn a_quiet_service_can_hedge() {
    let hedged = Hedged::new(after(10));
    let slow = || ask([(100, Reply), (0, Reply)]);
    for _ in 0..500 {
        assert!(hedged.send(slow()).run().1.is_ok());
    }
    assert!(hedged.counts().2 > 0, "it was exhausted");
    for _ in 0..10 {
        hedged.clock.advance(MS * 60_000);
        assert_eq!(hedged.send(slow()).run(), (10, Ok(2)));
    }
}

/// A layer that notes how long the dispatch has taken, in milliseconds.
struct Elapsed(Steps, &'static str);

impl<M: Message> Middleware<M> for Elapsed {
    async fn handle(&self, msg: M, cx: &Context<'_>, next: &impl Next<M>) -> Outcome<M> {
        cx.started();
        let outcome = next.run(msg, cx).await;
        self.0
            .note(format!("{}{}", self.1, cx.elapsed().as_millis()));
        outcome
    }
}

#[test]
fn outer_layers_see_the_end_of_the_winner() {
    let steps = Steps::default();
    let hedge = after(10);
    let clock = arcbus::FakeClock::new();
    let replicas = super::replicas::Replicas {
        clock: clock.clone(),
        steps: Steps::default(),
    };
    let bus = QueryBus::builder()
        .clock(clock.clone())
        .wrap(Elapsed(steps.clone(), "out"))
        .scope(|s| {
            s.layer(hedge)
                .wrap(Elapsed(steps.clone(), "in"))
                .register::<super::replicas::Ask, _>(replicas)
        })
        .build()
        .expect("in range");
    let mut dispatch = Box::pin(bus.execute(ask([(12, Fail), (5, Reply)])));
    assert!(crate::acts::poll_once(dispatch.as_mut()).is_pending());
    for _ in 0..14 {
        clock.advance(MS);
        assert!(crate::acts::poll_once(dispatch.as_mut()).is_pending());
    }
    clock.advance(MS);
    assert!(crate::acts::poll_once(dispatch.as_mut()).is_ready());
    assert_eq!(steps.take(), "in12 in5 out15");
}

#[test]
fn metrics_outside_count_one_reply_of_the_handler() {
    let metrics = Metrics::new();
    let hedged = Hedged::between(
        |clock| QueryBus::builder().clock(clock).layer(metrics.layer()),
        after(10),
    );
    assert_eq!(
        hedged.send(ask([(100, Reply), (5, Reply)])).run(),
        (15, Ok(2))
    );
    let snapshot = metrics.snapshot();
    let route = snapshot.route("ask").expect("registered");
    assert_eq!(
        (route.count(), route.replies(), route.in_flight()),
        (1, 1, 0)
    );
    assert_eq!(route.replies_from(Source::Handler), 1);
    assert_eq!(route.max(), Some(MS * 15));
}

#[test]
fn a_hedge_in_a_retried_attempt_has_its_own_attempt_number() {
    let hedged = Hedged::between(
        |clock| {
            let retry = Retry::fixed(2, std::time::Duration::ZERO);
            QueryBus::builder().clock(clock).layer(retry)
        },
        after(10),
    );
    let mut sent = hedged.send(ask([(0, Fail), (100, Reply), (5, Reply)]));
    assert_eq!(sent.run(), (15, Ok(3)));
    assert_eq!(hedged.steps.take(), "1> <1 2> 3> <3 <2");
}

/// A layer that marks the reply of one attempt as coming from a fallback.
struct Claims(u32);

impl<M: Message> Middleware<M> for Claims {
    async fn handle(&self, msg: M, cx: &Context<'_>, next: &impl Next<M>) -> Outcome<M> {
        if cx.attempt() == self.0 {
            cx.derive().answered_by(Source::Fallback);
        }
        next.run(msg, cx).await
    }
}

#[test]
fn the_reply_source_of_a_loser_does_not_apply_to_the_winner() {
    for (claims, first, source) in [
        (1, 100, Source::Handler),
        (2, 100, Source::Fallback),
        (1, 12, Source::Fallback),
        (2, 12, Source::Handler),
    ] {
        let (clock, metrics) = (arcbus::FakeClock::new(), Metrics::new());
        let replicas = super::replicas::Replicas {
            clock: clock.clone(),
            steps: Steps::default(),
        };
        let bus = QueryBus::builder()
            .clock(clock.clone())
            .layer(metrics.layer())
            .scope(|s| {
                s.layer(after(10))
                    .wrap(Claims(claims))
                    .register::<super::replicas::Ask, _>(replicas)
            })
            .build()
            .expect("in range");
        let mut dispatch = Box::pin(bus.execute(ask([(first, Reply), (5, Reply)])));
        while crate::acts::poll_once(dispatch.as_mut()).is_pending() {
            clock.advance(MS);
        }
        let snapshot = metrics.snapshot();
        let route = snapshot.route("ask").expect("registered");
        assert_eq!(route.replies_from(source), 1, "{claims} {first}");
    }
}

#[test]
fn a_fallback_outside_takes_over_when_all_have_failed() {
    let hedged = Hedged::between(
        |clock| QueryBus::builder().clock(clock).layer(Fallback::value(9)),
        after(10),
    );
    let mut sent = hedged.send(ask([(20, Fail), (5, Fail)]));
    assert_eq!(sent.run(), (20, Ok(9)));
}
