//! A nested dispatch on a bus with another clock. Its deadline and its policies follow the clock of
//! its own bus.

use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

use arcbus::metrics::Metrics;
use arcbus::middleware::{
    Cache, Cacheable, CircuitBreaker, Idempotency, RateLimit, Retry, Timeout,
};
use arcbus::{
    Class, CommandBus, Context, Dispatch, Error, FakeClock, Handler, Message, Outcome, Phase,
    Query, QueryBus, TimeLimit, from_fn, static_bus,
};

use crate::acts::{Act, poll_once, ready};

const SECOND: Duration = Duration::from_secs(1);

/// A message with an action for its handler, and the duration of the action on the bus's clock.
#[derive(Clone, Debug, Hash)]
enum Ask {
    Left,
    Fail,
    Take(u64),
    Hang,
}

impl Message for Ask {
    const NAME: &'static str = "ask";
    type Kind = Query;
    /// The remaining time, if there is a limit.
    type Reply = Option<Duration>;
    type Error = String;

    fn classify(_: &String) -> Class {
        Class::Transient
    }
}

impl Cacheable for Ask {
    type Key = str;
    fn key(&self) -> &str {
        "ask"
    }
}

struct Answers(FakeClock);

impl Handler<Ask> for Answers {
    async fn handle(&self, msg: Ask, cx: &Context<'_>) -> Result<Option<Duration>, String> {
        match msg {
            Ask::Left => Ok(cx.remaining()),
            Ask::Fail => Err("failed".into()),
            Ask::Take(seconds) => {
                self.0.advance(SECOND * seconds as u32);
                Ok(cx.remaining())
            }
            Ask::Hang => std::future::pending().await,
        }
    }
}

static_bus! {
    struct Fixed: Query {
        ask: Ask => Answers,
    }
}

/// Creates a clock whose time is far from every other clock's.
fn far() -> FakeClock {
    let clock = FakeClock::new();
    clock.advance(SECOND * 1_000_000);
    clock
}

/// Runs `nested` in a dispatch with a limit of ten seconds on its own clock, two seconds after the
/// start. Runs it again in a context detached from that dispatch.
fn inside<T: Send + 'static>(nested: impl Fn(&Context<'_>) -> T + Send + Sync + 'static) -> Vec<T> {
    let (outer, (sender, receiver)) = (FakeClock::new(), channel());
    let time = outer.clone();
    let bus = CommandBus::builder()
        .clock(outer)
        .register(from_fn(move |_: Act, cx: &Context<'_>| {
            time.advance(SECOND * 2);
            let each = [nested(cx), nested(&cx.detach())];
            sender.send(each).map_err(|error| error.to_string())?;
            Ok(0)
        }))
        .build()
        .expect("one name");
    let cx = Context::new().timeout(SECOND * 10);
    assert_eq!(bus.execute_blocking_with(Act::Fail, cx), Ok(0));
    receiver.recv().expect("sent").into()
}

/// Dispatches the message in both lanes.
fn each_lane(mut handle: impl Dispatch<Ask>, cx: &Context<'_>, msg: &Ask) -> [Outcome<Ask>; 2] {
    [
        handle.execute_blocking_in(cx, msg.clone()),
        ready(handle.execute_in(cx, msg.clone())).expect("it does not wait"),
    ]
}

fn bus(clock: &FakeClock) -> QueryBus {
    let bus = QueryBus::builder().clock(clock.clone());
    bus.register(Answers(clock.clone()))
        .build()
        .expect("one name")
}

#[test]
fn the_remaining_time_carries_over_on_every_handle() {
    for clock in [FakeClock::new(), far()] {
        let left = inside(move |cx| {
            let bus = bus(&clock);
            let fixed = Fixed::new(Answers(clock.clone())).clock(clock.clone());
            [
                each_lane(&bus, cx, &Ask::Left),
                each_lane(bus.local(), cx, &Ask::Left),
                each_lane(bus.route::<Ask>().expect("registered"), cx, &Ask::Left),
                each_lane(&fixed, cx, &Ask::Left),
            ]
        });
        for outcome in left.as_flattened().as_flattened() {
            assert_eq!(*outcome, Ok(Some(SECOND * 8)));
        }
    }
}

#[test]
fn time_passes_on_the_clock_of_the_bus_that_dispatches() {
    let clock = far();
    let left = inside(move |cx| each_lane(bus(&clock), cx, &Ask::Take(3)));
    for outcome in left.as_flattened() {
        assert_eq!(*outcome, Ok(Some(SECOND * 5)));
    }
}

#[test]
fn a_deadline_is_a_moment_of_the_clock_of_the_bus() {
    let clock = far();
    let in_eight = clock.now() + SECOND * 8;
    let expires_at = inside(move |cx| {
        let at = from_fn(|_: Act, cx: &Context<'_>| {
            let expires_at = cx.expires_at().ok_or("no limit")?;
            let left = expires_at.saturating_duration_since(cx.started());
            Ok(left.as_secs() as u32)
        });
        let bus = CommandBus::builder().clock(clock.clone()).register(at);
        let bus = bus.build().expect("one name");
        (
            bus.execute_blocking_in(cx, Act::Fail),
            clock.now() + SECOND * 8,
        )
    });
    assert_eq!(expires_at, [(Ok(8), in_eight), (Ok(8), in_eight)]);
}

#[test]
fn the_remaining_time_carries_over_between_real_and_fake_clocks() {
    let real = QueryBus::builder().register(Answers(FakeClock::new()));
    let real = real.build().expect("one name");
    let on_real = real.clone();
    let left = inside(move |cx| each_lane(&on_real, cx, &Ask::Left));
    for outcome in left.as_flattened() {
        let left = outcome.clone().expect("it answers").expect("a limit");
        assert!(left > SECOND && left <= SECOND * 8, "{left:?}");
    }
    // The fake clock is far from the real one, too.
    let (fake, (sender, receiver)) = (bus(&far()), channel());
    let asks = CommandBus::builder()
        .register(from_fn(move |_: Act, cx: &Context<'_>| {
            let asked = [cx, &cx.detach()].map(|cx| each_lane(&fake, cx, &Ask::Left));
            sender.send(asked).map_err(|error| error.to_string())?;
            Ok(0)
        }))
        .build()
        .expect("one name");
    let cx = Context::new().timeout(SECOND * 600);
    assert_eq!(asks.execute_blocking_with(Act::Fail, cx), Ok(0));
    for outcome in receiver.recv().expect("sent").as_flattened() {
        let left = outcome.clone().expect("it answers").expect("a limit");
        assert!(left > SECOND && left <= SECOND * 600, "{left:?}");
    }
}

#[test]
fn a_dispatch_late_on_one_clock_is_late_on_another() {
    let clock = far();
    let outcomes = inside(move |cx| {
        let bus = bus(&clock);
        let late = cx.derive().timeout(Duration::ZERO);
        [
            bus.execute_blocking_with(Ask::Left, late.clone()),
            ready(bus.execute_with(Ask::Left, late)).expect("it does not wait"),
        ]
    });
    for outcome in outcomes.as_flattened() {
        assert!(outcome.as_ref().unwrap_err().is_timeout(), "{outcome:?}");
    }
}

#[test]
fn a_wait_ends_by_the_clock_of_the_bus_that_dispatches() {
    for detached in [false, true] {
        let (outer, inner) = (FakeClock::new(), far());
        let hangs = bus(&inner);
        let asks = CommandBus::builder()
            .clock(outer.clone())
            .register(arcbus::from_detached_fn(move |_: Act, cx| {
                let hangs = hangs.clone();
                async move {
                    let cx = if detached { cx.detach() } else { cx };
                    let hung = hangs.execute_in(&cx, Ask::Hang).await;
                    let error = hung.expect_err("it waits for ever");
                    let after_five = Error::Timeout {
                        phase: Phase::Indeterminate,
                        elapsed: SECOND * 5,
                        limit: TimeLimit::Caller,
                    };
                    assert_eq!(error, after_five);
                    Ok(7)
                }
            }))
            .build()
            .expect("one name");
        let cx = Context::new().timeout(SECOND * 5);
        let mut asked = Box::pin(asks.execute_with(Act::Fail, cx));
        assert!(poll_once(asked.as_mut()).is_pending());
        inner.advance(SECOND * 4);
        assert!(poll_once(asked.as_mut()).is_pending());
        inner.advance(SECOND);
        assert_eq!(ready(asked), Some(Ok(7)));
    }
}

/// Waits for ever in a nested dispatch on another bus, in its own context, and replies with the
/// outcome.
struct Relay(QueryBus);

impl Handler<Act> for Relay {
    async fn handle(&self, _msg: Act, cx: &Context<'_>) -> Result<u32, String> {
        match self.0.execute_in(cx, Ask::Hang).await {
            Err(Error::Timeout { elapsed, .. }) => Ok(elapsed.as_secs() as u32),
            other => Err(format!("{other:?}")),
        }
    }
}

#[test]
fn a_wait_in_a_handlers_own_context_ends_by_both_clocks() {
    for by_inner in [true, false] {
        let (outer, inner) = (FakeClock::new(), far());
        let asks = CommandBus::builder()
            .clock(outer.clone())
            .register(Relay(bus(&inner)))
            .build()
            .expect("one name");
        let cx = Context::new().timeout(SECOND * 5);
        let mut asked = Box::pin(asks.execute_with(Act::Fail, cx));
        assert!(poll_once(asked.as_mut()).is_pending());
        let (first, other) = if by_inner {
            (&inner, &outer)
        } else {
            (&outer, &inner)
        };
        assert_eq!(first.next_alarm(), Some(SECOND * 5));
        assert_eq!(other.next_alarm(), Some(SECOND * 5));
        first.advance(SECOND * 5);
        match ready(asked).expect("its time is over") {
            Ok(seconds) => assert_eq!((seconds, by_inner), (5, true)),
            Err(error) => assert!(error.is_timeout() && !by_inner, "{error}"),
        }
    }
}

#[test]
fn a_nested_dispatch_on_another_clock_does_not_change_the_outer_time() {
    let (outer, inner) = (FakeClock::new(), far());
    let (asks, time) = (bus(&inner), outer.clone());
    let bus = CommandBus::builder()
        .clock(outer.clone())
        .register(from_fn(move |_: Act, cx: &Context<'_>| {
            let start = cx.started();
            time.advance(SECOND * 2);
            let _ = each_lane(&asks, cx, &Ask::Take(100));
            assert_eq!((cx.started(), cx.elapsed()), (start, SECOND * 2));
            assert_eq!(cx.remaining(), Some(SECOND * 8));
            assert_eq!(cx.expires_at(), Some(start + SECOND * 10));
            Ok(0)
        }))
        .build()
        .expect("one name");
    let cx = Context::new().timeout(SECOND * 10);
    assert_eq!(bus.execute_blocking_with(Act::Fail, cx), Ok(0));
}

/// Returns how often a nested dispatch reads the clocks of both buses.
fn reads(outer: &FakeClock, inner: &FakeClock, limit: Option<Duration>) -> [u64; 2] {
    let asks = bus(inner);
    let bus = CommandBus::builder()
        .clock(outer.clone())
        .register(from_fn(move |_: Act, cx: &Context<'_>| {
            let _ = asks.execute_blocking_in(cx, Ask::Fail);
            Ok(0)
        }))
        .build()
        .expect("one name");
    let cx = limit.map_or(Context::new(), |limit| Context::new().timeout(limit));
    let before = [outer.reads(), inner.reads()];
    assert_eq!(bus.execute_blocking_with(Act::Fail, cx), Ok(0));
    [outer.reads() - before[0], inner.reads() - before[1]]
}

#[test]
fn the_outer_clock_is_read_once_and_only_if_different() {
    let (clock, other) = (FakeClock::new(), far());
    let limit = Some(SECOND);
    assert_eq!(reads(&clock, &clock.clone(), limit), [2, 2], "one each");
    assert_eq!(reads(&clock, &other, limit), [2, 1], "one more");
    assert_eq!(reads(&clock, &other, None), [0, 0]);
}

/// Sends a message through a policy on a bus with the clock `inner`, from within a dispatch with
/// another clock.
fn nested_in<L>(layer: L, inner: &FakeClock) -> impl Fn(&Context<'_>, Ask) -> Outcome<Ask> + use<L>
where
    L: arcbus::Layer<Ask>,
{
    let bus = QueryBus::builder()
        .clock(inner.clone())
        .layer(layer)
        .register(Answers(inner.clone()))
        .build()
        .expect("in range");
    let lane = std::sync::atomic::AtomicBool::default();
    move |cx, msg| match lane.fetch_not(std::sync::atomic::Ordering::Relaxed) {
        false => bus.execute_blocking_in(cx, msg),
        true => ready(bus.execute_in(cx, msg)).expect("it does not wait"),
    }
}

#[test]
fn a_breaker_goes_by_the_clock_of_its_bus() {
    inside(|cx| {
        let inner = far();
        let send = nested_in(CircuitBreaker::consecutive(2).open_for(SECOND * 5), &inner);
        assert!(send(cx, Ask::Fail).is_err() && send(cx, Ask::Fail).is_err());
        // The empty context stands for a caller outside any dispatch.
        for cx in [cx, &Context::new(), cx] {
            let retry_after = SECOND * 5;
            assert_eq!(send(cx, Ask::Left), Err(Error::CircuitOpen { retry_after }));
        }
        inner.advance(SECOND * 5);
        assert!(send(cx, Ask::Left).is_ok());
    });
}

#[test]
fn a_rate_limit_goes_by_the_clock_of_its_bus() {
    inside(|cx| {
        let inner = far();
        let send = nested_in(RateLimit::new(1, SECOND), &inner);
        for _ in 0..3 {
            assert!(send(cx, Ask::Left).is_ok());
            for cx in [cx, &Context::new(), cx] {
                let retry_after = SECOND;
                assert_eq!(send(cx, Ask::Left), Err(Error::RateLimited { retry_after }));
            }
            inner.advance(SECOND);
            assert!(send(&Context::new(), Ask::Left).is_ok());
            inner.advance(SECOND);
        }
    });
}

#[test]
fn a_cache_keeps_by_the_clock_of_its_bus() {
    inside(|cx| {
        let inner = far();
        let send = nested_in(Cache::ttl(SECOND * 2), &inner);
        assert_eq!(send(cx, Ask::Left), Ok(Some(SECOND * 8)));
        for cx in [cx, &Context::new()] {
            assert_eq!(send(cx, Ask::Left), Ok(Some(SECOND * 8)), "kept");
        }
        inner.advance(SECOND * 2);
        assert_eq!(send(&Context::new(), Ask::Left), Ok(None), "gone");
        assert_eq!(send(cx, Ask::Left), Ok(None), "kept");
    });
}

#[test]
fn a_timeout_and_the_metrics_go_by_the_clock_of_their_bus() {
    inside(|cx| {
        let (inner, metrics) = (far(), Metrics::new());
        let send = nested_in(metrics.layer(), &inner);
        for _ in 0..2 {
            assert!(send(cx, Ask::Take(3)).is_ok());
        }
        let snapshot = metrics.snapshot();
        let max = snapshot.route("ask").expect("sent").max().expect("a reply");
        assert!(max >= SECOND * 3 && max < SECOND * 4, "{max:?}");

        let send = nested_in(Timeout::new(SECOND * 3), &inner);
        for _ in 0..2 {
            assert_eq!(send(cx, Ask::Left), Ok(Some(SECOND * 3)));
        }
    });
}

#[test]
fn a_retry_pauses_by_the_clock_of_its_bus() {
    let (outer, inner) = (FakeClock::new(), far());
    let bus = QueryBus::builder()
        .clock(inner.clone())
        .layer(Retry::fixed(2, SECOND))
        .register(Answers(inner.clone()))
        .build()
        .expect("in range");
    let asks = CommandBus::builder()
        .clock(outer)
        .register(arcbus::from_detached_fn(move |_: Act, cx| {
            let bus = bus.clone();
            async move {
                bus.execute_in(&cx, Ask::Fail)
                    .await
                    .map_or(Ok(7), |_| Ok(0))
            }
        }))
        .build()
        .expect("one name");
    let cx = Context::new().timeout(SECOND * 5);
    let mut asked = Box::pin(asks.execute_with(Act::Fail, cx));
    assert!(poll_once(asked.as_mut()).is_pending());
    assert!(inner.next_alarm() <= Some(SECOND * 2), "with its jitter");
    inner.advance(SECOND * 2);
    assert_eq!(ready(asked), Some(Ok(7)));
}

#[test]
fn a_key_is_kept_by_the_clock_of_its_bus() {
    let runs = Arc::new(std::sync::atomic::AtomicU32::new(0));
    let counted = Arc::clone(&runs);
    inside(move |cx| {
        let (inner, counted) = (far(), Arc::clone(&counted));
        let count = move || counted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let bus = CommandBus::builder()
            .clock(inner.clone())
            .layer(Idempotency::in_memory(SECOND * 60).require_key())
            .register(from_fn(move |_: Charge, _: &Context<'_>| Ok(count())))
            .build()
            .expect("in range");
        let keyed = |cx: &Context<'_>| {
            let key = arcbus::middleware::idempotency::IdempotencyKey::new("a");
            bus.execute_blocking_with(Charge, cx.derive().with(key))
        };
        let first = keyed(cx).expect("it runs");
        assert_eq!(keyed(&Context::new()), Ok(first));
        assert_eq!(keyed(cx), Ok(first));
        inner.advance(SECOND * 60);
        assert_eq!(keyed(cx), Ok(first + 1));
        assert_eq!(keyed(&Context::new()), Ok(first + 1));
    });
}

#[derive(Clone, Hash)]
struct Charge;

impl Message for Charge {
    const NAME: &'static str = "charge";
    type Kind = arcbus::Command;
    type Reply = u32;
    type Error = String;
}
