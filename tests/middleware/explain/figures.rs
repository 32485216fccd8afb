//! The figures of a stack for its worst case.

use std::time::Duration;

use arcbus::metrics::Metrics;
use arcbus::middleware::rate_limit::Rate;
use arcbus::middleware::{
    self as real, AdaptiveLimit, Authorize, Bulkhead, Chaos, CircuitBreaker, KeyedRateLimit,
    MapError, RateLimit, Timeout, Validation, When,
};
use arcbus::{
    Context, Error, ErrorKind, Explanation, Facts, Gated, Layers, Message, MessageType, Middleware,
    Next, Outcome, Query, QueryBus, RegistrationError, Stack, from_fn, guard, inspect,
};

use super::stand_ins::{Ask, Cache, Fallback, Hedge, Other, Retry, Through, plain};

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// The kinds in which a handler without layers may end.
const BARE: [ErrorKind; 5] = [
    ErrorKind::Invalid,
    ErrorKind::Panicked,
    ErrorKind::Transient,
    ErrorKind::Permanent,
    ErrorKind::Unclassified,
];

/// Number of kinds that an error may have, which excludes the kind of a dropped dispatch.
const ALL: usize = ErrorKind::ALL.len() - 1;

fn explain<S: Stack<Ask>>(layers: &Layers<S>) -> Explanation {
    layers.explain::<Ask>()
}

/// A message for the real layers that repeat.
#[derive(Clone)]
struct Get;

impl Message for Get {
    const NAME: &'static str = "get";
    type Kind = Query;
    type Reply = u8;
    type Error = String;
}

/// Returns the attempts, the calls and the longest time.
fn figures<S: Stack<Ask>>(layers: &Layers<S>) -> (u32, u64, Option<Duration>) {
    figures_of::<Ask, S>(layers)
}

fn figures_of<M: Message, S: Stack<M>>(layers: &Layers<S>) -> (u32, u64, Option<Duration>) {
    let explanation = layers.explain::<M>();
    (
        explanation.max_attempts(),
        explanation.max_handler_calls(),
        explanation.longest(),
    )
}

fn retry() -> Retry {
    Retry(Facts::new().attempts(3).waits(ms(150)))
}

#[test]
fn a_bare_handler_runs_once_and_has_no_time_limit() {
    let bare = Layers::new();
    assert_eq!(figures(&bare), (1, 1, None));
    let bare = explain(&bare);
    assert_eq!(bare.keeps(), None);
    assert_eq!(bare.errors(), BARE);
    assert_eq!(
        bare.errors_by_caller(),
        [
            ErrorKind::Late,
            ErrorKind::CallerTimeout,
            ErrorKind::CancelledEarly,
            ErrorKind::Cancelled,
            ErrorKind::WouldDeadlock
        ]
    );
    assert_eq!((bare.unknown(), bare.warnings()), (&[][..], &[][..]));
    assert_eq!(bare.message(), MessageType::of::<Ask>());
}

#[test]
fn a_retry_multiplies_the_inner_figures_and_adds_its_delays() {
    let each = Layers::new().layer(retry()).layer(Timeout::new(ms(100)));
    assert_eq!(figures(&each), (3, 3, Some(ms(450))));
    let total = Layers::new().layer(Timeout::new(ms(100))).layer(retry());
    assert_eq!(figures(&total), (3, 3, Some(ms(100))));
    let both = Layers::new().layer(Timeout::new(ms(400))).layers(&each);
    assert_eq!(figures(&both), (3, 3, Some(ms(400))));
    let loose = Layers::new().layer(Timeout::new(ms(500))).layers(&each);
    assert_eq!(figures(&loose), (3, 3, Some(ms(450))));
}

#[test]
fn concurrent_runs_multiply_calls_but_not_the_time() {
    let hedge = Hedge(Facts::new().at_once(2).waits(ms(20)));
    let stack = Layers::new().layer(hedge).layer(Timeout::new(ms(100)));
    assert_eq!(figures(&stack), (1, 2, Some(ms(120))));
    let stack = Layers::new().layer(retry()).layers(&stack);
    assert_eq!(figures(&stack), (3, 6, Some(ms(510))));
}

/// In the worst case the handler takes its full time, and each hedge begins as late as possible and
/// ends last.
#[test]
fn a_hedge_begins_at_its_delay_unless_the_first_attempt_has_ended() {
    let stack = |hedge| Layers::new().layer(hedge).layer(Timeout::new(ms(100)));
    for (hedge, longest) in [
        (real::Hedge::after(ms(10)), 110),
        (real::Hedge::after(ms(10)).max_hedges(3), 130),
        (real::Hedge::after(ms(60)).max_hedges(3), 200),
        (real::Hedge::after(ms(60)).max_delay(ms(5)), 105),
        (real::Hedge::quantile(0.9).max_delay(ms(30)), 130),
        (real::Hedge::quantile(0.9), 200),
    ] {
        assert_eq!(figures_of::<Get, _>(&stack(hedge)).2, Some(ms(longest)));
    }
}

/// A retry waits for the time that an error asks for, up to its longest pause.
#[test]
fn a_retry_may_wait_for_as_long_as_a_layer_inside_says() {
    let retry = || real::Retry::fixed(3, ms(10)).max_delay(ms(400));
    let each = || Timeout::new(ms(100));
    let stack = Layers::new().layer(retry()).layer(each());
    assert_eq!(figures_of::<Get, _>(&stack).2, Some(ms(320)));
    let open = Layers::new()
        .layer(retry())
        .layer(CircuitBreaker::consecutive(1))
        .layer(each());
    assert_eq!(figures_of::<Get, _>(&open).2, Some(ms(1100)));
    let limited = Layers::new()
        .layer(retry())
        .layer(RateLimit::per_second(1))
        .layer(each());
    assert_eq!(figures_of::<Get, _>(&limited).2, Some(ms(1100)));
    let busy = Layers::new()
        .layer(retry())
        .layer(Bulkhead::new(1))
        .layer(each());
    assert_eq!(figures_of::<Get, _>(&busy).2, Some(ms(320)));
}

#[test]
fn a_fallback_handler_has_no_time_limit_and_may_panic() {
    let other = || real::Fallback::handler::<Get>(from_fn(|_: Get, _: &Context<'_>| Ok(2)));
    let stack = Layers::new().layer(other()).layer(Timeout::new(ms(100)));
    assert_eq!(figures_of::<Get, _>(&stack).2, None);
    let bounded = Layers::new().layer(Timeout::new(ms(150))).layers(&stack);
    assert_eq!(figures_of::<Get, _>(&bounded).2, Some(ms(150)));
    let value = Layers::new()
        .layer(real::Fallback::value(9_u8))
        .layer(Timeout::new(ms(100)));
    assert_eq!(figures_of::<Get, _>(&value).2, Some(ms(100)));
    let panicked = ErrorKind::Panicked;
    assert!(value.explain::<Get>().errors().contains(&panicked));
}

#[test]
fn waits_of_queues_add_up_outside_a_timeout_and_not_inside() {
    let queue = || Bulkhead::new(1).queue(1, ms(30));
    let limit = || RateLimit::per_second(1).wait_at_most(ms(7));
    let outside = Layers::new()
        .layer(queue())
        .layer(limit())
        .layer(Timeout::new(ms(100)));
    assert_eq!(figures(&outside).2, Some(ms(137)));
    let inside = Layers::new()
        .layer(Timeout::new(ms(100)))
        .layer(queue())
        .layer(limit());
    assert_eq!(figures(&inside).2, Some(ms(100)));
    let twice = Layers::new().layer(retry()).layers(&outside);
    assert_eq!(figures(&twice).2, Some(ms(137 * 3 + 150)));
}

#[test]
fn a_timeout_bounds_the_route_with_its_grace() {
    let timeout = Timeout::new(ms(100)).grace(ms(10));
    assert_eq!(
        figures(&Layers::new().layer(timeout.clone())).2,
        Some(ms(110))
    );
    let own = timeout.for_route::<Ask>(ms(1)).for_route::<Ask>(ms(5));
    assert_eq!(
        figures(&Layers::new().layer(own)).2,
        Some(ms(15)),
        "the last one"
    );
    let endless = Timeout::new(ms(100)).grace(Duration::MAX);
    assert_eq!(
        figures(&Layers::new().layer(endless)).2,
        Some(Duration::MAX)
    );
}

#[test]
fn a_conditional_timeout_bounds_nothing() {
    let by_message = Timeout::new(ms(100)).per_message(|_: &Ask, _: &Context<'_>| None);
    let by_message = Layers::new().layer(by_message);
    assert_eq!(figures(&by_message).2, None);
    assert!(explain(&by_message).errors().contains(&ErrorKind::Timeout));
    let sometimes = When::new(|_: &Ask, _: &Context<'_>| true, Timeout::new(ms(100)));
    assert_eq!(figures(&Layers::new().layer(sometimes)).2, None);
    assert_eq!(figures(&Layers::new().layer(None::<Timeout>)).2, None);
}

#[test]
fn figures_too_large_to_count_are_shown_as_unbounded() {
    let many = || Retry(Facts::new().attempts(u32::MAX).at_once(u32::MAX));
    let stack = Layers::new()
        .layer(many())
        .layer(many())
        .layer(Timeout::new(Duration::MAX / 2));
    assert_eq!(figures(&stack), (u32::MAX, u64::MAX, None));
    let waits = Retry(Facts::new().waits(Duration::MAX));
    let stack = Layers::new().layer(waits).layer(Timeout::new(ms(1)));
    assert_eq!(figures(&stack).2, None);
    assert!(
        explain(&stack)
            .to_string()
            .contains("as long as Retry takes")
    );
}

#[test]
fn a_kept_reply_may_have_been_kept_further_in() {
    let cache = |age| Cache(Facts::new().keeps(ms(age)));
    assert_eq!(explain(&Layers::new().layer(cache(5))).keeps(), Some(ms(5)));
    let two = Layers::new()
        .layer(cache(5))
        .layer(plain::Other())
        .layer(cache(7));
    assert_eq!(explain(&two).keeps(), Some(ms(12)));
    let long = Layers::new()
        .layer(Cache(Facts::new().keeps(Duration::MAX)))
        .layer(cache(1));
    assert_eq!(explain(&long).keeps(), Some(Duration::MAX));
}

#[test]
fn each_layer_adds_its_errors() {
    fn added<S: Stack<Ask>>(layers: &Layers<S>) -> Vec<ErrorKind> {
        let explanation = explain(layers);
        assert!(
            BARE.iter()
                .all(|error| explanation.errors().contains(error))
        );
        let errors = explanation.errors().iter().copied();
        errors.filter(|error| !BARE.contains(error)).collect()
    }
    let only = Layers::new;
    let keyed = KeyedRateLimit::by_context(Rate::per_second(1), |_: &Context<'_>| 0);
    let may = |_: MessageType, _: &Context<'_>| Ok(());
    use ErrorKind::{
        CircuitOpen, Conflict, Forbidden, InDoubt, Overloaded, QueueTimeout, RateLimited, Rejected,
        Timeout as Late, Unauthenticated,
    };
    let refusals = [Unauthenticated, Forbidden, Conflict, Rejected];
    assert_eq!(added(&only().layer(Metrics::new().layer())), []);
    assert_eq!(added(&only().layer(Validation::new())), []);
    assert_eq!(added(&only().layer(Authorize::new(may))), refusals);
    let limit = RateLimit::per_second(1);
    assert_eq!(added(&only().layer(limit)), [RateLimited]);
    assert_eq!(added(&only().layer(keyed)), [RateLimited, Overloaded]);
    assert_eq!(added(&only().layer(Bulkhead::new(1))), [Overloaded]);
    assert_eq!(added(&only().layer(AdaptiveLimit::vegas())), [Overloaded]);
    let breaker = CircuitBreaker::consecutive(1);
    assert_eq!(added(&only().layer(breaker)), [CircuitOpen]);
    let timeout = Timeout::new(ms(1));
    assert_eq!(added(&only().layer(timeout)), [QueueTimeout, Late]);
    assert_eq!(added(&only().layer(Chaos::seeded(1))), [Late]);
    assert_eq!(
        added(&only().wrap(guard(|_: &Ask, _: &Context<'_>| Ok(())))),
        refusals
    );
    let looks = inspect(
        |_: &Ask, _: &Context<'_>| (),
        |_: &Outcome<Ask>, _: &Context<'_>| (),
    );
    assert_eq!(added(&only().wrap(looks)), []);
    let twice = only().layer(Bulkhead::new(1)).layer(Bulkhead::new(1));
    assert_eq!(added(&twice), [Overloaded]);
    let own = Other(Facts::new().fails_with(InDoubt).fails_with(Conflict));
    let own = only().layer(own.clone()).layer(own);
    assert_eq!(
        added(&own),
        [Conflict, InDoubt],
        "in the order of the table"
    );
}

#[test]
fn a_layer_maps_the_errors_of_its_inner_layers() {
    let fallback = || {
        Fallback(
            Facts::new()
                .replaces(ErrorKind::CircuitOpen)
                .replaces(ErrorKind::Panicked)
                .replaces(ErrorKind::Transient)
                .replaces(ErrorKind::Unclassified),
        )
    };
    let breaker = || CircuitBreaker::consecutive(1);
    let outside = Layers::new().layer(fallback()).layer(breaker());
    assert_eq!(
        explain(&outside).errors(),
        [ErrorKind::Invalid, ErrorKind::Permanent]
    );
    let inside = Layers::new().layer(breaker()).layer(fallback());
    assert_eq!(
        explain(&inside).errors(),
        [
            ErrorKind::Invalid,
            ErrorKind::CircuitOpen,
            ErrorKind::Permanent
        ]
    );

    let sometimes = When::new(|_: &Ask, _: &Context<'_>| true, fallback());
    assert_eq!(explain(&Layers::new().layer(sometimes)).errors(), BARE);

    let map = || MapError::new(|error: Error<String>, _: &Context<'_>| error);
    let mapped = explain(&Layers::new().layer(map()));
    assert_eq!(mapped.errors().len(), ALL);
    assert_eq!(mapped.errors_by_caller(), []);
    let mapped = explain(&Layers::new().layer(fallback()).layer(map()));
    assert!(!mapped.errors().contains(&ErrorKind::Unclassified));
    let chaos = Chaos::seeded(1).error(|| Error::<String>::InDoubt);
    assert_eq!(explain(&Layers::new().layer(chaos)).errors().len(), ALL);
}

#[test]
fn chaos_delays_in_the_worst_case_at_any_rate() {
    let chaos = Chaos::seeded(1).latency(0.0, ms(9));
    let stack = Layers::new().layer(chaos).layer(Timeout::new(ms(1)));
    assert_eq!(figures(&stack).2, Some(ms(10)));
}

struct Own;

impl<M: Message> Middleware<M> for Own {
    async fn handle(&self, msg: M, cx: &Context<'_>, next: &impl Next<M>) -> Outcome<M> {
        next.run(msg, cx).await
    }
}

struct Says;

impl<M: Message> Middleware<M> for Says {
    async fn handle(&self, msg: M, cx: &Context<'_>, next: &impl Next<M>) -> Outcome<M> {
        next.run(msg, cx).await
    }

    fn facts(&self) -> Facts {
        Facts::new().attempts(2)
    }
}

#[test]
fn a_middleware_without_facts_is_named() {
    let own = Layers::new().wrap(Own).layer(Timeout::new(ms(1)));
    let explanation = explain(&own);
    assert_eq!(explanation.unknown(), ["Own"]);
    assert_eq!(explanation.errors().len(), ALL);
    assert_eq!(figures(&own), (1, 1, None), "it may wait");
    assert!(explanation.to_string().contains("as long as Own takes"));
    let bounded = Layers::new().layer(Timeout::new(ms(1))).wrap(Own);
    assert_eq!(figures(&bounded).2, Some(ms(1)));
}

#[test]
fn a_custom_middleware_may_state_its_facts() {
    let says = Layers::new().wrap(Some(Says)).layer(Timeout::new(ms(1)));
    assert_eq!(explain(&says).unknown(), [""; 0]);
    assert_eq!(figures(&says), (2, 2, Some(ms(2))));
    assert_eq!(figures(&Layers::new().wrap(None::<Says>)), (1, 1, None));
}

#[test]
fn a_gate_without_facts_is_assumed_to_refuse_only() {
    let gate = Layers::new()
        .wrap(Gated(Through))
        .layer(Timeout::new(ms(1)));
    assert_eq!(figures(&gate), (1, 1, Some(ms(1))));
    assert_eq!(explain(&gate).unknown(), [""; 0]);
    assert_eq!(explain(&gate).errors().len(), ALL);
}

#[test]
fn a_bus_and_its_registrar_explain_registered_routes() {
    let (bus, registrar) = QueryBus::builder()
        .layer(Timeout::new(ms(1)))
        .open()
        .expect("sound");
    let missing = RegistrationError::NotRegistered {
        message: MessageType::of::<Ask>(),
    };
    assert_eq!(bus.explain::<Ask>(), Err(missing.clone()));
    assert_eq!(registrar.explain::<Ask>(), Err(missing));

    let handler = || from_fn(|_: Ask, _: &Context<'_>| Ok(1));
    registrar.register(handler()).expect("new");
    assert_eq!(
        bus.explain::<Ask>().expect("registered").longest(),
        Some(ms(1))
    );
    let longer = registrar.layer(retry());
    let _ = longer.replace(handler()).expect("registered");
    assert_eq!(bus.explain::<Ask>().expect("registered").max_attempts(), 3);
    assert_eq!(bus.explain::<Ask>(), registrar.explain::<Ask>());
    assert_eq!(bus.explain::<Ask>(), Ok(bus.routes()[0].explain()));
}
