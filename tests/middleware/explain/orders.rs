//! Each rule warns of the bad order, and not of the good one.

use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use arcbus::metrics::Metrics;
use arcbus::middleware::{
    Bulkhead, CircuitBreaker, ProductionConfig, ProductionLayers, RateLimit, Timeout, When,
};
use arcbus::{CommandBus, Context, Facts, FakeClock, LayerExt, Layers, Stack, Warning, guard};

use crate::acts::{Act, Actor, each_lane, poll_once};

use super::stand_ins::{self, Ask, plain};

const SECOND: Duration = Duration::from_secs(1);

/// Returns the warnings of a stack, as pairs of the outer and the inner layer's name.
fn pairs<S: Stack<Ask>>(layers: &Layers<S>) -> Vec<(&'static str, &'static str)> {
    let explanation = layers.explain::<Ask>();
    let warnings = explanation.warnings().iter();
    warnings.map(|w| (w.outer(), w.inner())).collect()
}

macro_rules! assert_dangerous {
    ($($outer:ident $inner:ident)*) => {
        $({
            // The compiler rejects the bare layers, but inside an `Option` they only cause a
            // warning.
            let bad = Layers::new().layer(Some(plain::$outer())).layer(Some(plain::$inner()));
            let pair = (stringify!($outer), stringify!($inner));
            assert_eq!(pairs(&bad), [pair]);
        })*
    };
}

macro_rules! assert_safe {
    ($($outer:ident $inner:ident)*) => {
        $({
            let good = Layers::new().layer(plain::$outer()).layer(plain::$inner());
            assert_eq!(pairs(&good), [], "{} {}", stringify!($outer), stringify!($inner));
        })*
    };
}

#[test]
fn a_dangerous_order_gets_a_warning_and_its_reverse_does_not() {
    macro_rules! each {
        ($($outer:ident $inner:ident)*) => {
            assert_dangerous! { $($outer $inner)* }
            assert_safe! { $($inner $outer)* }
        };
    }
    each! {
        Cache Authorize
        Coalesce Authorize
        Idempotency Authorize
        Cache Metrics
        Coalesce Metrics
        Idempotency Metrics
        Cache Trace
        Coalesce Trace
        Idempotency Trace
        RateLimit Cache
        RateLimit Coalesce
        Bulkhead Cache
        Bulkhead Coalesce
        AdaptiveLimit Cache
        AdaptiveLimit Coalesce
        CircuitBreaker Cache
        CircuitBreaker Coalesce
        CircuitBreaker Retry
        AdaptiveLimit Retry
        Bulkhead Hedge
        AdaptiveLimit Hedge
        Retry Idempotency
        Hedge Cache
        Hedge Coalesce
        CircuitBreaker Fallback
        Retry Fallback
        Hedge Fallback
        Idempotency Fallback
        Chaos Timeout
        Chaos Retry
        Chaos Hedge
        Chaos CircuitBreaker
        Chaos Fallback
    }
}

#[test]
fn two_repeating_layers_are_dangerous_in_any_order() {
    assert_dangerous! {
        Retry Retry
        Hedge Hedge
    }
}

#[test]
fn a_harmless_order_gets_no_warning() {
    assert_safe! {
        Cache Fallback
        Cache Validation
        KeyedRateLimit Cache
        RateLimit Retry
        CircuitBreaker Hedge
        Retry Hedge
        Hedge Retry
        Retry Cache
        Cache Cache
        Other Cache
        Cache Other
        Metrics Retry
        Retry Metrics
        Authorize RateLimit
        RateLimit Authorize
        Timeout Retry
        Timeout Bulkhead
    }
}

#[test]
fn a_recorder_may_stand_inside_a_cache_if_another_stands_outside() {
    let both = Layers::new()
        .layer(plain::Metrics())
        .layer(plain::Cache())
        .layer(plain::Metrics());
    assert_eq!(pairs(&both), []);
    let other = Layers::new()
        .layer(plain::Trace())
        .layer(plain::Cache())
        .layer(plain::Metrics());
    assert_eq!(pairs(&other), [("Cache", "Metrics")]);
}

#[test]
fn a_timeout_for_each_attempt_needs_an_overall_timeout() {
    let timeout = || Timeout::new(SECOND);
    let each = Layers::new().layer(plain::Retry()).layer(timeout());
    assert_eq!(pairs(&each), [("Retry", "Timeout")]);

    let total = Layers::new().layer(timeout()).layer(plain::Retry());
    assert_eq!(pairs(&total), []);
    assert_eq!(pairs(&total.layer(timeout())), [], "both");

    let bounded = stand_ins::Retry(Facts::new().ends_after(SECOND));
    assert_eq!(
        pairs(&Layers::new().layer(bounded).layer(timeout())),
        [],
        "its own"
    );

    let by_message = timeout().per_message(|_: &Ask, _: &Context<'_>| None);
    let by_message = Layers::new().layer(by_message).layer(plain::Retry());
    assert_eq!(
        pairs(&by_message.layer(timeout())),
        [],
        "as long as it says"
    );

    let sometimes = When::new(|_: &Ask, _: &Context<'_>| true, timeout());
    let sometimes = Layers::new()
        .layer(sometimes)
        .layer(plain::Retry())
        .layer(timeout());
    assert_eq!(
        pairs(&sometimes),
        [("Retry", "Timeout")],
        "no end to all of them"
    );
}

#[test]
fn a_permit_may_be_held_through_a_retry_that_does_not_sleep() {
    let retry = |waits| stand_ins::Retry(Facts::new().attempts(2).waits(waits));
    let bad = Layers::new().layer(Bulkhead::new(1)).layer(retry(SECOND));
    assert_eq!(pairs(&bad), [("Bulkhead", "Retry")]);
    let good = Layers::new()
        .layer(Bulkhead::new(1))
        .layer(retry(Duration::ZERO));
    assert_eq!(pairs(&good), []);
    // This retry waits only for the time that a breaker inside asks for.
    let told = stand_ins::Retry(Facts::new().attempts(2).waits_as_told(SECOND));
    let told = Layers::new().layer(Bulkhead::new(1)).layer(told);
    assert_eq!(pairs(&told), []);
    let told = told.layer(CircuitBreaker::consecutive(1));
    assert_eq!(pairs(&told), [("Bulkhead", "Retry")]);
    let good = Layers::new().layer(retry(SECOND)).layer(Bulkhead::new(1));
    assert_eq!(pairs(&good), []);
}

#[test]
fn a_wait_for_a_turn_leaves_time_for_the_handler() {
    let timeout = || Timeout::new(SECOND);
    let queue = |wait| Bulkhead::new(1).queue(1, wait);
    let limit = |wait| RateLimit::per_second(1).wait_at_most(wait);

    let (bad, short) = (SECOND, SECOND - Duration::from_nanos(1));
    let stack = Layers::new().layer(timeout()).layer(queue(bad));
    assert_eq!(pairs(&stack), [("Timeout", "Bulkhead")]);
    let stack = Layers::new().layer(timeout()).layer(limit(bad));
    assert_eq!(pairs(&stack), [("Timeout", "RateLimit")]);

    assert_eq!(
        pairs(&Layers::new().layer(timeout()).layer(queue(short))),
        []
    );
    assert_eq!(
        pairs(&Layers::new().layer(timeout()).layer(limit(short))),
        []
    );
    assert_eq!(pairs(&Layers::new().layer(queue(bad)).layer(timeout())), []);
    assert_eq!(pairs(&Layers::new().layer(limit(bad)).layer(timeout())), []);
}

#[test]
fn a_breaker_inside_a_timeout_needs_an_inner_timeout() {
    let (timeout, breaker) = (|| Timeout::new(SECOND), || CircuitBreaker::consecutive(1));
    let bad = Layers::new().layer(timeout()).layer(breaker());
    assert_eq!(pairs(&bad), [("Timeout", "CircuitBreaker")]);
    assert_eq!(pairs(&bad.layer(timeout())), []);
    assert_eq!(pairs(&Layers::new().layer(breaker()).layer(timeout())), []);
}

/// Confirms, on a running bus, the claim of the rule on a breaker inside a timeout.
#[test]
fn a_breaker_sees_a_hanging_handler_only_through_an_inner_timeout() {
    let (timeout, breaker) = (|| Timeout::new(SECOND), || CircuitBreaker::consecutive(1));
    let bad = Layers::new().layer(timeout()).layer(breaker());
    assert!(!opens_when_the_handler_hangs(&bad));
    assert!(opens_when_the_handler_hangs(&bad.layer(timeout())));
    assert!(opens_when_the_handler_hangs(
        &Layers::new().layer(breaker()).layer(timeout())
    ));
}

fn opens_when_the_handler_hangs<S: Stack<Act>>(layers: &Layers<S>) -> bool {
    let clock = FakeClock::new();
    let bus = CommandBus::builder()
        .clock(clock.clone())
        .layers(layers)
        .register(Actor::default())
        .build()
        .expect("sound");
    {
        let mut hangs = pin!(bus.execute(Act::Wait));
        assert!(poll_once(hangs.as_mut()).is_pending());
        clock.advance(SECOND);
        let Poll::Ready(Err(error)) = poll_once(hangs.as_mut()) else {
            panic!("it is late");
        };
        assert!(error.is_timeout());
    }
    let [blocking, awaiting] = each_lane(&bus, Act::Answer(1));
    assert_eq!(blocking, awaiting);
    blocking.is_err_and(|error| error.is_circuit_open())
}

#[test]
fn a_guard_is_asked_like_an_authorization() {
    let guard = || guard(|_: &Ask, _: &Context<'_>| Ok(()));
    let bad = Layers::new().layer(plain::Cache()).wrap(guard());
    assert_eq!(pairs(&bad), [("Cache", "GuardGate")]);
    let bad = Layers::new().layer(plain::Cache()).wrap(Some(guard()));
    assert_eq!(pairs(&bad), [("Cache", "GuardGate")]);
    assert_eq!(
        pairs(&Layers::new().wrap(guard()).layer(plain::Cache())),
        []
    );
}

#[test]
fn a_shared_or_conditional_layer_gets_the_warnings_of_the_plain_layer() {
    let shared = Layers::new()
        .layer(plain::Cache().shared())
        .layer(plain::Authorize());
    assert_eq!(pairs(&shared), [("Cache", "Authorize")]);
    let sometimes = When::new(|_: &Ask, _: &Context<'_>| true, plain::Cache());
    let sometimes = Layers::new().layer(sometimes).layer(plain::Authorize());
    assert_eq!(pairs(&sometimes), [("Cache", "Authorize")]);
}

#[test]
fn a_layer_switched_off_gets_no_warning() {
    let off = Layers::new()
        .layer(None::<stand_ins::Cache>)
        .layer(plain::Authorize());
    assert_eq!(pairs(&off), []);
    assert_eq!(off.explain::<Ask>().layers().len(), 1);
    let off = Layers::new()
        .layer(plain::Cache())
        .layer(None::<stand_ins::Authorize>);
    assert_eq!(pairs(&off), []);
}

#[test]
fn intermediate_layers_and_joined_stacks_do_not_hide_a_warning() {
    let inner = Layers::new()
        .layer(plain::Other())
        .layer(plain::Authorize());
    let joined = Layers::new()
        .layer(plain::Cache())
        .layer(plain::Other())
        .layers(&inner);
    assert_eq!(pairs(&joined), [("Cache", "Authorize")]);
}

#[test]
fn every_pair_is_warned_of() {
    let stack = Layers::new()
        .layer(plain::Cache())
        .layer(plain::Coalesce())
        .layer(plain::Authorize())
        .layer(plain::Authorize());
    let expected = [
        ("Cache", "Authorize"),
        ("Cache", "Authorize"),
        ("Coalesce", "Authorize"),
        ("Coalesce", "Authorize"),
    ];
    assert_eq!(pairs(&stack), expected);
}

#[test]
fn a_warning_gives_the_reason_and_a_better_order() {
    let stack = Layers::new()
        .layer(plain::Cache())
        .layer(plain::Authorize());
    let explanation = stack.explain::<Ask>();
    let warning: Warning = explanation.warnings()[0];
    assert!(warning.reason().contains("without a check"), "{warning}");
    assert_eq!(
        warning.to_string(),
        format!(
            "`Cache` outside `Authorize`: {}. Better: {}",
            warning.reason(),
            warning.better()
        )
    );
}

#[test]
fn the_layers_for_production_have_no_warnings() {
    let config = ProductionConfig::new()
        .metrics(Metrics::new().layer())
        .rate_limit(RateLimit::per_second(10))
        .bulkhead(Bulkhead::new(4))
        .circuit_breaker(CircuitBreaker::consecutive(2));
    let stack = ProductionLayers::queries(config);
    let all = 6 + usize::from(cfg!(feature = "tracing"));
    assert_eq!(stack.explain::<Ask>().layers().len(), all);
    assert_eq!(pairs(&stack), []);
}
