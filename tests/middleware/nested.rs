//! Handler errors that carry the error of a nested dispatch, which every layer judges by the nested
//! kind.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use arcbus::metrics::Metrics;
use arcbus::middleware::cache::Outdated;
use arcbus::middleware::{
    Cache, Cacheable, CircuitBreaker, Fallback, Invalidates, Retry, circuit_breaker::State,
};
use arcbus::{
    Bus, BusBuilder, Class, Classify, Command, CommandBus, Context, Error, ErrorKind, FakeClock,
    Idempotent, Kind, Message, Outcome, Phase, Query, QueryBus, Same, Stack, Verdict, from_fn,
};

use crate::acts::ready;

const SECOND: Duration = Duration::from_secs(1);

/// A handler's error, which carries a nested error of this kind.
#[derive(Clone, Debug, PartialEq)]
struct Carries(ErrorKind);

impl fmt::Display for Carries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "nested: {}", self.0)
    }
}

/// A message whose handler fails in a nested dispatch.
#[derive(Clone, Debug)]
struct Ask(ErrorKind);

impl Message for Ask {
    const NAME: &'static str = "ask";
    type Kind = Query;
    type Reply = u32;
    type Error = Carries;

    fn classify(error: &Carries) -> Class {
        Class::Nested {
            kind: error.0,
            may_have_acted: error.0.is_indeterminate(),
        }
    }
}

impl Cacheable for Ask {
    type Key = str;
    fn key(&self) -> &str {
        "all"
    }
}

#[derive(Clone, Debug)]
struct Act(ErrorKind);

impl Message for Act {
    const NAME: &'static str = "act";
    type Kind = Command;
    type Reply = u32;
    type Error = Carries;

    fn classify(error: &Carries) -> Class {
        Ask::classify(error)
    }
}

impl Idempotent for Act {}

impl Invalidates<Ask> for Act {
    fn invalidates(&self) -> Outdated<Ask> {
        Outdated::All
    }
}

/// A handler that counts its runs.
#[derive(Clone, Default)]
struct Runs(Arc<AtomicU32>);

impl Runs {
    fn add(&self) -> u32 {
        self.0.fetch_add(1, Ordering::SeqCst) + 1
    }

    fn take(&self) -> u32 {
        self.0.swap(0, Ordering::SeqCst)
    }
}

fn kinds() -> impl Iterator<Item = ErrorKind> {
    ErrorKind::ALL.iter().copied()
}

/// The kinds of a nested error that lead to another attempt, a fallback and a stale reply.
const UNAVAILABLE: [ErrorKind; 8] = [
    ErrorKind::QueueTimeout,
    ErrorKind::Timeout,
    ErrorKind::CircuitOpen,
    ErrorKind::RateLimited,
    ErrorKind::Overloaded,
    ErrorKind::Panicked,
    ErrorKind::Transient,
    ErrorKind::Unclassified,
];

/// The nested caller is the handler, so its deadline is a limit of the service.
fn is_unavailable(kind: ErrorKind) -> bool {
    let own_limit = [ErrorKind::Late, ErrorKind::CallerTimeout];
    UNAVAILABLE.contains(&kind) || own_limit.contains(&kind)
}

fn queries<S: Stack<Ask>>(builder: BusBuilder<Query, S>) -> (QueryBus, Runs) {
    let runs = Runs::default();
    let count = runs.clone();
    let handler = from_fn(move |msg: Ask, _: &Context<'_>| {
        count.add();
        Err(Carries(msg.0))
    });
    (builder.register(handler).build().expect("in range"), runs)
}

fn commands<S: Stack<Act>>(builder: BusBuilder<Command, S>) -> (CommandBus, Runs) {
    let runs = Runs::default();
    let count = runs.clone();
    let handler = from_fn(move |msg: Act, _: &Context<'_>| {
        count.add();
        Err(Carries(msg.0))
    });
    (builder.register(handler).build().expect("in range"), runs)
}

fn each_lane<M: Message + Clone, K: Kind>(bus: &Bus<K>, msg: M) -> [Outcome<M>; 2]
where
    M::Kind: Same<K>,
{
    let awaited = ready(bus.execute(msg.clone()));
    [
        bus.execute_blocking(msg),
        awaited.expect("it does not wait"),
    ]
}

#[test]
fn a_nested_error_keeps_its_kind_through_two_handlers() {
    enum Inner {
        Down,
    }
    impl Classify for Inner {
        fn classify(&self) -> Class {
            Class::Transient
        }
    }
    enum Outer {
        Inner(Error<Box<Inner>>),
    }
    impl Classify for Outer {
        fn classify(&self) -> Class {
            let Self::Inner(nested) = self;
            nested.classify()
        }
    }
    let class = |error| Error::Handler(Outer::Inner(error)).classify();
    let nested = |kind, may_have_acted| Class::Nested {
        kind,
        may_have_acted,
    };
    let phase = Phase::Indeterminate;
    let cancelled = class(Error::Cancelled { phase });
    assert_eq!(cancelled, nested(ErrorKind::Cancelled, true));
    let down = class(Error::Handler(Box::new(Inner::Down)));
    assert_eq!(down, nested(ErrorKind::Transient, false));
    let never: Error<Infallible> = Error::InDoubt;
    assert_eq!(never.classify(), nested(ErrorKind::InDoubt, true));

    let error = Error::Handler(Carries(ErrorKind::Cancelled));
    assert!(error.may_have_acted::<Act>());
    assert_eq!(
        Class::nested::<Act>(&error),
        nested(ErrorKind::Cancelled, true)
    );
    assert_eq!(ErrorKind::of::<Act>(&error), ErrorKind::Cancelled);
    let unknown = (ErrorKind::Unclassified, false);
    assert_eq!((error.kind(), error.is_indeterminate()), unknown);
}

#[test]
fn a_failed_nested_query_leaves_no_doubt() {
    let error = || Error::Panicked { message: "".into() };
    let class = |class: Class| match class {
        Class::Nested {
            kind,
            may_have_acted,
        } => (kind, may_have_acted),
        other => panic!("{other:?}"),
    };
    let panicked = ErrorKind::Panicked;
    assert_eq!(class(Class::nested::<Ask>(&error())), (panicked, false));
    assert_eq!(class(Class::nested::<Act>(&error())), (panicked, true));
}

#[test]
fn a_verdict_follows_the_nested_kind() {
    for kind in kinds() {
        let expected = match kind {
            ErrorKind::CallerTimeout => Verdict::Failure,
            kind => kind.verdict(),
        };
        let outcome = Err(Error::Handler(Carries(kind)));
        assert_eq!(Verdict::of::<Ask>(&outcome), expected, "{kind}");
        let breaker = CircuitBreaker::consecutive(1);
        let handles = breaker.handles();
        let (bus, _) = queries(QueryBus::builder().layer(breaker));
        assert!(bus.execute_blocking(Ask(kind)).is_err());
        let is_open = handles.get("ask").expect("registered").state() == State::Open;
        assert_eq!(is_open, expected == Verdict::Failure, "{kind}");
    }
}

#[test]
fn a_nested_dispatch_ended_by_the_outer_deadline_is_neutral() {
    for kind in [
        ErrorKind::CallerTimeout,
        ErrorKind::Late,
        ErrorKind::Cancelled,
    ] {
        let (clock, breaker) = (FakeClock::new(), CircuitBreaker::consecutive(1));
        let (handles, late) = (breaker.handles(), clock.clone());
        let bus = QueryBus::builder()
            .clock(clock)
            .layer(breaker.slow_after(SECOND * 5))
            .register(from_fn(move |msg: Ask, _: &Context<'_>| {
                late.advance(SECOND);
                Err(Carries(msg.0))
            }))
            .build()
            .expect("in range");
        let hasty = bus.execute_blocking_with(Ask(kind), Context::new().timeout(SECOND));
        assert!(hasty.is_err());
        let state = handles.get("ask").expect("registered").state();
        assert_eq!(state, State::Closed, "{kind}");
    }
}

#[test]
fn a_retry_repeats_transient_nested_refusals_and_never_a_possible_act() {
    let always = [
        ErrorKind::CircuitOpen,
        ErrorKind::RateLimited,
        ErrorKind::Overloaded,
        ErrorKind::Transient,
    ];
    let twice = || Retry::fixed(2, Duration::ZERO);
    let (asks, asked) = queries(QueryBus::builder().layer(twice()));
    let (acts, acted) = commands(CommandBus::builder().layer(twice()));
    let told = twice().retry_if(|_: &Error<Carries>| true);
    let (told, run) = commands(CommandBus::builder().layer(told));
    for kind in kinds() {
        let runs = |is_repeated| if is_repeated { 4 } else { 2 };
        let repeats = always.contains(&kind);
        let _ = each_lane(&asks, Ask(kind));
        let of_query = repeats || kind == ErrorKind::Unclassified;
        assert_eq!(asked.take(), runs(of_query), "a query: {kind}");
        let _ = each_lane(&acts, Act(kind));
        assert_eq!(acted.take(), runs(repeats), "a command: {kind}");
        let _ = each_lane(&told, Act(kind));
        let may = of_query || kind == ErrorKind::Permanent;
        assert_eq!(run.take(), runs(may), "a command by a predicate: {kind}");
    }
}

#[test]
fn a_fallback_replaces_nested_errors_by_their_kind() {
    let (values, _) = queries(QueryBus::builder().layer(Fallback::value(9)));
    let other = || from_fn(|_: Act, _: &Context<'_>| Ok(9));
    let (others, _) = commands(CommandBus::builder().layer(Fallback::handler(other())));
    for kind in kinds() {
        let is_replaced = is_unavailable(kind);
        for outcome in each_lane(&values, Ask(kind)) {
            assert_eq!(outcome.is_ok(), is_replaced, "{kind}");
        }
        for outcome in each_lane(&others, Act(kind)) {
            let may_run = is_replaced && !kind.is_indeterminate();
            assert_eq!(outcome.is_ok(), may_run, "another handler: {kind}");
        }
    }
}

#[test]
fn a_cache_keeps_no_nested_error_and_serves_stale_by_the_nested_kind() {
    for kind in kinds() {
        let (clock, runs) = (FakeClock::new(), Runs::default());
        let cache = Cache::ttl(SECOND)
            .jitter(0.0)
            .stale_while_revalidate(SECOND * 2)
            .cache_errors(SECOND);
        let count = runs.clone();
        let bus = QueryBus::builder()
            .clock(clock.clone())
            .layer(cache)
            .register(from_fn(move |msg: Ask, _: &Context<'_>| {
                match count.add() {
                    3 => Ok(3),
                    _ => Err(Carries(msg.0)),
                }
            }))
            .build()
            .expect("in range");
        let failed = Err(Error::Handler(Carries(kind)));
        assert_eq!(bus.execute_blocking(Ask(kind)), failed);
        assert_eq!(bus.execute_blocking(Ask(kind)), failed);
        assert_eq!(runs.0.load(Ordering::SeqCst), 2, "it was kept: {kind}");
        assert_eq!(bus.execute_blocking(Ask(kind)), Ok(3));
        clock.advance(SECOND);
        let renewed = bus.execute_blocking(Ask(kind));
        assert_eq!(renewed.is_ok(), is_unavailable(kind), "{kind}");
    }
}

/// The handler itself has run, in whatever way the nested dispatch ended.
#[test]
fn a_command_with_any_nested_error_invalidates() {
    let cache = Cache::ttl(SECOND);
    let runs = Runs::default();
    let count = runs.clone();
    let builder = CommandBus::builder().layer(cache.invalidator::<Ask>());
    let (acts, _) = commands(builder);
    let asks = QueryBus::builder()
        .layer(cache)
        .register(from_fn(move |_: Ask, _: &Context<'_>| Ok(count.add())))
        .build()
        .expect("in range");
    for (kind, run) in kinds().zip(1..) {
        assert_eq!(asks.execute_blocking(Ask(kind)), Ok(run));
        assert_eq!(asks.execute_blocking(Ask(kind)), Ok(run), "it is kept");
        assert!(acts.execute_blocking(Act(kind)).is_err());
    }
}

#[test]
fn metrics_count_the_nested_kind() {
    for kind in kinds() {
        let metrics = Metrics::new();
        let (bus, _) = queries(QueryBus::builder().layer(metrics.layer()));
        let _ = each_lane(&bus, Ask(kind));
        let counted = match kind {
            ErrorKind::Late => ErrorKind::QueueTimeout,
            ErrorKind::CallerTimeout => ErrorKind::Timeout,
            kind => kind,
        };
        let snapshot = metrics.snapshot();
        let ask = snapshot.route("ask").expect("registered");
        assert_eq!(ask.failures(counted), 2, "{kind}");
    }
}
