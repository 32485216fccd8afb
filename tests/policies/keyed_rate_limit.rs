//! `KeyedRateLimit`: a limit for each key.

use std::time::Duration;

use arcbus::middleware::KeyedRateLimit;
use arcbus::middleware::rate_limit::{KeyedRateLimitPolicy, NotNow, Quota};
use arcbus::{CommandBus, Context, FakeClock, RegistrationError};

use crate::acts::{Act, Actor};

const SECOND: Duration = Duration::from_secs(1);

struct Tenant(String);

fn once_a_second() -> Quota {
    Quota::every(SECOND)
}

#[test]
fn keys_do_not_touch_each_other() {
    let clock = FakeClock::new();
    let key = |msg: &Act, _: &Context<'_>| match msg {
        Act::Answer(id) => *id,
        _ => 0,
    };
    let limit = KeyedRateLimit::by(once_a_second(), key);
    let handles = limit.handles();
    let bus = CommandBus::builder()
        .clock(clock.clone())
        .layer(limit)
        .register(Actor::default())
        .build()
        .expect("sound");
    for passes in [true, false] {
        for id in 0..100 {
            assert_eq!(bus.execute_blocking(Act::Answer(id)).is_ok(), passes);
        }
    }
    let policy = handles.get("act").expect("registered");
    assert_eq!((policy.len(), policy.capacity()), (100, 65_536));
    policy.set_quota(once_a_second().burst(2)).expect("sound");
    assert_eq!(bus.execute_blocking(Act::Answer(7)), Ok(7));
    clock.advance(SECOND * 2);
    assert_eq!(bus.execute_blocking(Act::Answer(8)), Ok(8));
}

#[test]
fn a_key_comes_from_the_context_too() {
    fn tenant<'m>(_: &'m Act, cx: &'m Context<'_>) -> &'m str {
        cx.get::<Tenant>().map_or("", |tenant| &tenant.0)
    }
    let bus = CommandBus::builder()
        .clock(FakeClock::new())
        .layer(KeyedRateLimit::by_ref(once_a_second(), tenant))
        .register(Actor::default())
        .build()
        .expect("sound");
    for (name, passes) in [("a", true), ("b", true), ("a", false)] {
        let cx = Context::new().with(Tenant(name.into()));
        let outcome = bus.execute_blocking_with(Act::Answer(1), cx);
        assert_eq!(outcome.is_ok(), passes);
    }
}

#[test]
fn busy_keys_are_never_forgotten_and_idle_ones_are() {
    let policy = KeyedRateLimitPolicy::<u64>::new(once_a_second(), 8).expect("sound");
    let start = SECOND * 100;
    for key in 0..8 {
        assert_eq!(policy.check(&key, start + SECOND / 8 * key as u32), Ok(()));
    }
    // Full: a new key is told when the first of them is idle.
    let refused = policy.check(&8, start + SECOND / 2);
    assert_eq!(refused, Err(NotNow::After(SECOND / 2)));
    assert!(policy.check(&1, start + SECOND / 2).is_err(), "still kept");
    assert_eq!(policy.check(&8, start + SECOND), Ok(()));
    assert!(policy.check(&1, start + SECOND).is_err(), "still kept");
    assert_eq!(policy.len(), 8);
    assert_eq!(policy.check(&9, start + SECOND * 10), Ok(()));
    assert_eq!(policy.len(), 1, "all of them were idle");
}

#[test]
fn there_are_never_more_keys_than_asked_for() {
    let policy = KeyedRateLimitPolicy::<u64>::new(once_a_second(), 1_000).expect("sound");
    let passed = (0..10_000).filter(|key| policy.check(key, SECOND).is_ok());
    let passed = passed.count();
    assert_eq!(passed, policy.len());
    assert!(passed <= 1_000 + 64 && passed >= 900, "{passed}");
}

#[test]
fn settings_out_of_range_are_refused() {
    let key = |_: &Act, _: &Context<'_>| 1;
    for (limit, field) in [
        (
            KeyedRateLimit::by(once_a_second(), key).capacity(0),
            "KeyedRateLimit.capacity",
        ),
        (
            KeyedRateLimit::by(Quota::per_second(0), key),
            "RateLimit.messages",
        ),
    ] {
        let built = CommandBus::builder()
            .layer(limit)
            .register(Actor::default());
        let Err(RegistrationError::InvalidSetting(invalid)) = built.build() else {
            panic!("{field} must be refused");
        };
        assert_eq!(invalid.field(), field);
    }
}
