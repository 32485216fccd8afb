//! `RateLimit`: by the clock of the bus, in both lanes.

use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use arcbus::middleware::RateLimit;
use arcbus::middleware::rate_limit::{NotNow, Quota, RateLimitPolicy};
use arcbus::{
    BusBuilder, Command, CommandBus, Context, Error, FakeClock, Layer, LayerExt, NoLayers,
    RegistrationError,
};
use proptest::prelude::*;

use crate::acts::{Act, Actor, Steps, each_lane, layers, poll_once};

const SECOND: Duration = Duration::from_secs(1);

fn builder(clock: &FakeClock) -> BusBuilder<Command, NoLayers> {
    CommandBus::builder().clock(clock.clone())
}

fn bus<L: Layer<Act>>(clock: &FakeClock, layer: L) -> CommandBus {
    let builder = builder(clock).layer(layer);
    builder.register(Actor::default()).build().expect("sound")
}

fn refused(after: Duration) -> Error<String> {
    Error::RateLimited { retry_after: after }
}

#[test]
fn a_burst_passes_and_then_the_rate() {
    let clock = FakeClock::new();
    let bus = bus(&clock, RateLimit::per_second(2).burst(4));
    assert_eq!(layers(&bus), ["RateLimit"]);
    let limited = Err(refused(SECOND / 2));
    for _ in 0..2 {
        assert_eq!(each_lane(&bus, Act::Answer(1)), [Ok(1), Ok(1)]);
    }
    assert_eq!(each_lane(&bus, Act::Answer(1)), [limited.clone(), limited]);
    clock.advance(SECOND / 2 - Duration::from_nanos(1));
    assert!(bus.execute_blocking(Act::Answer(1)).is_err());
    clock.advance(Duration::from_nanos(1));
    assert_eq!(bus.execute_blocking(Act::Answer(1)), Ok(1));
    assert!(bus.execute_blocking(Act::Answer(1)).is_err());
    clock.advance(SECOND * 3600);
    let passed = (0..10).filter(|_| bus.execute_blocking(Act::Answer(1)).is_ok());
    assert_eq!(passed.count(), 4, "a long pause gives one burst");
}

#[test]
fn a_refused_message_is_not_handled_and_takes_no_token() {
    let clock = FakeClock::new();
    let steps = Steps::default();
    let bus = builder(&clock)
        .layer(RateLimit::new(Quota::every(SECOND)))
        .register(Actor(steps.clone()))
        .build()
        .expect("sound");
    for _ in 0..5 {
        let _ = bus.execute_blocking(Act::Answer(1));
    }
    assert_eq!(steps.take(), "handle");
    clock.advance(SECOND);
    assert_eq!(bus.execute_blocking(Act::Answer(1)), Ok(1));
}

#[test]
fn routes_have_limits_of_their_own_unless_they_share_one() {
    #[derive(Clone)]
    struct Other;
    impl arcbus::Message for Other {
        const NAME: &'static str = "other";
        type Kind = Command;
        type Reply = ();
        type Error = String;
    }
    let other = || arcbus::from_fn(|_: Other, _: &Context<'_>| Ok(()));
    let clock = FakeClock::new();
    let limit = || RateLimit::new(Quota::every(SECOND));
    let own = builder(&clock).layer(limit()).register(Actor::default());
    let own = own.register(other()).build().expect("sound");
    assert!(own.execute_blocking(Act::Answer(1)).is_ok());
    assert!(own.execute_blocking(Other).is_ok());
    let one = builder(&clock).layer(limit().shared());
    let one = one.register(Actor::default()).register(other());
    let one = one.build().expect("sound");
    assert!(one.execute_blocking(Act::Answer(1)).is_ok());
    assert!(one.execute_blocking(Other).unwrap_err().is_rate_limited());
}

#[test]
fn the_quota_is_read_and_changed_while_it_works() {
    let clock = FakeClock::new();
    let limit = RateLimit::per_second(10).burst(1);
    let handles = limit.handles();
    let bus = bus(&clock, limit);
    let policy = handles.get("act").expect("registered");
    assert_eq!(policy.quota().interval(), SECOND / 10);
    assert_eq!(policy.quota().burst_size(), 1);
    assert!(bus.execute_blocking(Act::Answer(1)).is_ok());
    assert!(bus.execute_blocking(Act::Answer(1)).is_err());
    policy
        .set_quota(Quota::per_second(1).burst(3))
        .expect("sound");
    for left in [true, true, false] {
        assert_eq!(bus.execute_blocking(Act::Answer(1)).is_ok(), left);
    }
    let invalid = policy.set_quota(Quota::per_second(0)).unwrap_err();
    assert_eq!(invalid.field(), "RateLimit.messages");
    assert_eq!(policy.quota().burst_size(), 3);
    drop(bus);
    drop(policy);
    assert!(handles.all().is_empty());
}

#[test]
fn settings_out_of_range_are_refused() {
    let day = SECOND * 24 * 3600;
    let wrong = [
        (Quota::per_second(0), "RateLimit.messages"),
        (Quota::every(Duration::ZERO), "RateLimit.period"),
        (Quota::every(day * 401), "RateLimit.period"),
        (Quota::every(Duration::MAX), "RateLimit.period"),
        (Quota::per_second(1).burst(0), "RateLimit.burst"),
        (Quota::every(day).burst(401), "RateLimit.burst"),
    ];
    for (quota, field) in wrong {
        let built = CommandBus::builder()
            .layer(RateLimit::new(quota))
            .register(Actor::default())
            .build();
        let Err(RegistrationError::InvalidSetting(invalid)) = built else {
            panic!("{quota:?} must be refused");
        };
        assert_eq!(invalid.field(), field);
    }
    let patience = RateLimit::per_second(1).wait_at_most(Duration::ZERO);
    let built = CommandBus::builder().layer(patience);
    assert!(built.register(Actor::default()).build().is_err());
}

#[test]
fn one_reading_of_the_clock_a_dispatch() {
    let clock = FakeClock::new();
    let bus = bus(&clock, RateLimit::per_second(1000));
    let before = clock.reads();
    assert_eq!(each_lane(&bus, Act::Answer(1)), [Ok(1), Ok(1)]);
    assert_eq!(clock.reads() - before, 2);
}

#[test]
fn messages_wait_in_their_order_and_no_longer_than_their_patience() {
    let clock = FakeClock::new();
    let bus = bus(
        &clock,
        RateLimit::new(Quota::every(SECOND)).wait_at_most(SECOND * 2),
    );
    assert_eq!(layers(&bus), ["RateLimit"]);
    assert_eq!(bus.execute_blocking(Act::Answer(0)), Ok(0));
    let mut first = pin!(bus.execute(Act::Answer(1)));
    let mut second = pin!(bus.execute(Act::Answer(2)));
    assert!(poll_once(first.as_mut()).is_pending());
    assert!(poll_once(second.as_mut()).is_pending());
    let third = bus.execute_blocking(Act::Answer(3));
    assert_eq!(third, Err(refused(SECOND * 3)));
    clock.advance(SECOND);
    assert_eq!(poll_once(first.as_mut()), Poll::Ready(Ok(1)));
    assert!(poll_once(second.as_mut()).is_pending());
    clock.advance(SECOND);
    assert_eq!(poll_once(second.as_mut()), Poll::Ready(Ok(2)));
}

#[test]
fn who_would_be_late_does_not_wait() {
    let clock = FakeClock::new();
    let bus = bus(
        &clock,
        RateLimit::new(Quota::every(SECOND)).wait_at_most(SECOND * 9),
    );
    assert_eq!(bus.execute_blocking(Act::Answer(0)), Ok(0));
    let cx = Context::new().timeout(SECOND - Duration::from_nanos(1));
    let late = bus.execute_blocking_with(Act::Answer(1), cx);
    assert_eq!(late, Err(refused(SECOND)));
    let mut waits = pin!(bus.execute(Act::Answer(2)));
    assert!(poll_once(waits.as_mut()).is_pending());
    clock.advance(SECOND);
    assert_eq!(
        poll_once(waits.as_mut()),
        Poll::Ready(Ok(2)),
        "nothing was reserved"
    );
}

#[test]
fn who_is_dropped_while_it_waits_gives_its_token_back() {
    let clock = FakeClock::new();
    let bus = bus(
        &clock,
        RateLimit::new(Quota::every(SECOND)).wait_at_most(SECOND * 9),
    );
    assert_eq!(bus.execute_blocking(Act::Answer(0)), Ok(0));
    let mut dropped = Box::pin(bus.execute(Act::Answer(1)));
    assert!(poll_once(dropped.as_mut()).is_pending());
    drop(dropped);
    let mut next = Box::pin(bus.execute(Act::Answer(2)));
    assert!(poll_once(next.as_mut()).is_pending());
    clock.advance(SECOND);
    // Its time has come before it is dropped: its token is used up.
    drop(next);
    let mut last = pin!(bus.execute(Act::Answer(3)));
    assert!(poll_once(last.as_mut()).is_pending());
    clock.advance(SECOND);
    assert_eq!(poll_once(last.as_mut()), Poll::Ready(Ok(3)));
}

#[test]
fn the_wait_of_a_blocking_dispatch_ends_with_its_token() {
    let bus = CommandBus::builder()
        .layer(RateLimit::new(Quota::every(SECOND / 50)).wait_at_most(SECOND * 60))
        .register(Actor::default())
        .build()
        .expect("sound");
    let start = std::time::Instant::now();
    for _ in 0..3 {
        assert_eq!(bus.execute_blocking(Act::Answer(1)), Ok(1));
    }
    assert!(start.elapsed() >= SECOND / 25);
}

/// The obvious model: the times of the messages that passed. One passes if, for every run of them that
/// it would end, there is a burst and what the rate gives in the time of the run.
struct Slow {
    passed: Vec<u64>,
    interval: u64,
    burst: u64,
}

impl Slow {
    fn check(&mut self, now: u64) -> bool {
        let pass = (0..self.passed.len()).all(|first| {
            let in_run = (self.passed.len() - first) as u64 + 1;
            let time = now - self.passed[first];
            in_run * self.interval <= self.burst * self.interval + time
        });
        if pass {
            self.passed.push(now);
        }
        pass
    }
}

proptest! {
    #[test]
    fn it_lets_pass_what_the_obvious_model_does(
        interval in 1..1_000_u64,
        burst in 1..6_u32,
        steps in proptest::collection::vec(0..1_500_u64, 1..60),
    ) {
        let quota = Quota::every(Duration::from_nanos(interval)).burst(burst);
        let policy = RateLimitPolicy::new(quota).expect("sound");
        let mut slow = Slow { passed: Vec::new(), interval, burst: burst.into() };
        let mut now = 1 << 40;
        for step in steps {
            now += step;
            let at = Duration::from_nanos(now);
            let there = policy.available(at);
            let checked = policy.check(at);
            prop_assert_eq!(checked.is_ok(), slow.check(now));
            prop_assert_eq!(checked.is_ok(), there > 0);
            if let Err(NotNow::After(wait)) = checked {
                let soon = wait - Duration::from_nanos(1);
                prop_assert_eq!(policy.available(at + soon), 0);
                prop_assert_eq!(policy.available(at + wait), 1);
            }
        }
    }

    #[test]
    fn several_tokens_are_taken_together_or_not_at_all(
        burst in 1..20_u32,
        wanted in proptest::collection::vec(1..25_u32, 1..20),
    ) {
        let policy = RateLimitPolicy::new(Quota::per_second(10).burst(burst)).expect("sound");
        let now = Duration::from_secs(1 << 20);
        let mut left = burst;
        for n in wanted {
            match policy.check_n(n, now) {
                Ok(()) => left -= n,
                Err(NotNow::Never) => prop_assert!(n > burst),
                Err(NotNow::After(wait)) => {
                    prop_assert!(n > left && n <= burst);
                    prop_assert_eq!(wait, Duration::from_millis(100) * (n - left));
                }
            }
            prop_assert_eq!(policy.available(now), left);
        }
    }
}

#[test]
fn the_ends_of_the_line_of_time_are_no_trouble() {
    let policy = RateLimitPolicy::new(Quota::per_second(1)).expect("sound");
    assert_eq!(policy.check(Duration::ZERO), Ok(()));
    assert_eq!(policy.check(Duration::ZERO), Err(NotNow::After(SECOND)));
    assert_eq!(policy.check(Duration::MAX), Ok(()));
    let most = RateLimitPolicy::new(Quota::per_second(u32::MAX)).expect("sound");
    assert_eq!(most.check_n(u32::MAX, SECOND), Ok(()));
    assert!(most.check(SECOND).is_err());
}
