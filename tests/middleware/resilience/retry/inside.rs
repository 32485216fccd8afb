//! The effects of a retry that its outer and inner layers see.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use arcbus::metrics::Metrics;
use arcbus::middleware::{CircuitBreaker, Retry};
use arcbus::{Context, Error, Gate, Gated, Message, Middleware, Next, Outcome, QueryBus, Source};

use crate::asking::{Ask, FAIL, Step, ms, query, rig};

/// Notes for each run through the layer the attempt, its duration, the presence of a reply, and the
/// source.
#[derive(Clone, Default)]
struct Watch(Arc<Mutex<Vec<Run>>>);

type Run = (u32, Duration, bool, Source);

impl Watch {
    fn take(&self) -> Vec<Run> {
        std::mem::take(&mut *self.0.lock().expect("no panic"))
    }
}

impl<M: Message> Gate<M> for Watch {
    type Pass<'a> = ();

    fn enter(&self, _msg: &M, cx: &Context<'_>) -> Result<(), Error<M::Error>> {
        cx.started();
        Ok(())
    }

    fn leave(&self, (): (), outcome: &Outcome<M>, cx: &Context<'_>) {
        let run = (cx.attempt(), cx.elapsed(), outcome.is_ok(), cx.source());
        self.0.lock().expect("no panic").push(run);
    }
}

#[test]
fn each_attempt_has_its_own_timing_and_the_dispatch_spans_all_attempts() {
    let (outer, inner) = (Watch::default(), Watch::default());
    let rig = rig(QueryBus::builder()
        .wrap(Gated(outer.clone()))
        .layer(Retry::fixed(3, ms(10)))
        .wrap(Gated(inner.clone())));
    let third_replies = |attempt| if attempt < 3 { FAIL } else { Step::Reply };
    assert_eq!(rig.run(third_replies), Ok(3));
    let from = Source::Handler;
    assert_eq!(outer.take(), [(1, ms(20), true, from)]);
    let zero = Duration::ZERO;
    let attempts = [
        (1, zero, false, from),
        (2, zero, false, from),
        (3, zero, true, from),
    ];
    assert_eq!(inner.take(), attempts);
    let clock = rig.clock.clone();
    let blocked = rig.block_with(third_replies, Context::new(), || clock.advance(ms(1)));
    assert_eq!(blocked, Ok(3));
    assert!(outer.take()[0].1 >= ms(20));
}

#[test]
fn metrics_outside_a_retry_count_messages_and_inside_attempts() {
    let (outer, inner) = (Metrics::new(), Metrics::new());
    let rig = rig(QueryBus::builder()
        .layer(outer.layer())
        .layer(Retry::fixed(3, Duration::ZERO))
        .layer(inner.layer()));
    let second_replies = |attempt| if attempt < 2 { FAIL } else { Step::Reply };
    assert_eq!(rig.both(second_replies).0, Ok(2));
    let counts = |metrics: &Metrics| {
        let snapshot = metrics.snapshot();
        let route = snapshot.route("ask").expect("registered");
        (route.replies(), route.failed())
    };
    assert_eq!(counts(&outer), (2, 0));
    assert_eq!(counts(&inner), (2, 2));
}

#[test]
fn an_inner_breaker_is_asked_for_each_attempt_and_awaited() {
    let breaker = CircuitBreaker::consecutive(1).open_for(ms(30));
    let rig = rig(QueryBus::builder()
        .layer(Retry::fixed(3, ms(10)))
        .layer(breaker));
    // The first attempt opens the breaker, and the second is refused and waits until the breaker is
    // half open.
    let second_replies = |attempt| if attempt == 1 { FAIL } else { Step::Reply };
    assert_eq!(rig.run(second_replies), Ok(3));
    assert_eq!(rig.steps.take(), "1@0 3@40");
}

#[test]
fn later_attempts_inherit_the_context_of_the_first() {
    struct Tenant(u32);
    /// A gate that rejects a message without a tenant, or of another tenant.
    struct OfTenant;
    impl Middleware<Ask> for OfTenant {
        async fn handle(&self, msg: Ask, cx: &Context<'_>, next: &impl Next<Ask>) -> Outcome<Ask> {
            assert_eq!(cx.get().map(|Tenant(tenant)| *tenant), Some(7));
            assert_eq!(cx.remaining(), Some(ms(9)));
            assert!(cx.trace().is_none() && !cx.is_cancelled());
            next.run(msg, cx).await
        }
    }
    let retry = Retry::fixed(3, Duration::ZERO);
    let rig = rig(QueryBus::builder().layer(retry).wrap(OfTenant));
    let cx = Context::new().with(Tenant(7)).timeout(ms(9));
    let third_replies = |attempt| if attempt < 3 { FAIL } else { Step::Reply };
    assert_eq!(rig.run_with(third_replies, cx.clone()), Ok(3));
    assert_eq!(
        rig.bus.execute_blocking_with(query(third_replies), cx),
        Ok(3)
    );
}

/// A layer that marks each attempt except the second as coming from a fallback.
struct Claims;

impl<M: Message> Middleware<M> for Claims {
    async fn handle(&self, msg: M, cx: &Context<'_>, next: &impl Next<M>) -> Outcome<M> {
        if cx.attempt() != 2 {
            cx.answered_by(Source::Fallback);
        }
        next.run(msg, cx).await
    }
}

#[test]
fn the_reply_source_of_a_failed_attempt_does_not_apply_to_the_next() {
    let outer = Watch::default();
    let retry = Retry::fixed(3, Duration::ZERO);
    let rig = rig(QueryBus::builder()
        .wrap(Gated(outer.clone()))
        .layer(retry)
        .wrap(Claims));
    let reply_of = |last: u32| -> fn(u32) -> Step {
        match last {
            2 => |attempt| if attempt < 2 { FAIL } else { Step::Reply },
            _ => |attempt| if attempt < 3 { FAIL } else { Step::Reply },
        }
    };
    for (last, source) in [(2, Source::Handler), (3, Source::Fallback)] {
        assert_eq!(rig.both(reply_of(last)).0, Ok(last));
        assert_eq!(
            outer
                .take()
                .into_iter()
                .map(|run| run.3)
                .collect::<Vec<_>>(),
            [source; 2]
        );
    }
}
