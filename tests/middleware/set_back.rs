//! Policies whose clock is set back: none rejects messages for longer than its own time.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arcbus::middleware::circuit_breaker::{CircuitBreaker, State};
use arcbus::middleware::idempotency::{Begin, Fingerprint, MemoryStore};
use arcbus::middleware::rate_limit::{KeyRefused, KeyedRateLimitPolicy, Rate};
use arcbus::middleware::{AdaptiveLimit, Budget, Priority};
use arcbus::{CommandBus, Context, Error, FakeClock, Verdict, guard};

use crate::acts::{Act, Actor, each_lane};

const SECOND: Duration = Duration::from_secs(1);
/// The time from which the clocks are set back. The times in `EARLY` are the targets.
const LATE: Duration = Duration::from_secs(100_000);
const EARLY: [Duration; 4] = [
    Duration::from_secs(99_999),
    Duration::from_secs(99_990),
    Duration::from_secs(5_000),
    Duration::ZERO,
];

fn breakers() -> [CircuitBreaker; 3] {
    [
        CircuitBreaker::consecutive(2),
        CircuitBreaker::count_window(10).minimum_calls(2),
        CircuitBreaker::time_window(SECOND * 60).minimum_calls(2),
    ]
    .map(|breaker| breaker.open_for(SECOND * 5).half_open_probes(1))
}

#[test]
fn a_breaker_is_open_for_its_time_and_no_longer() {
    for early in EARLY {
        for breaker in breakers() {
            let policy = breaker.policy().expect("in range");
            let fail = |now| {
                let admission = policy.try_admit(now).expect("let through");
                admission.complete(Verdict::Failure, now);
            };
            fail(LATE);
            fail(LATE);
            assert_eq!(policy.state(), State::Open);
            let refused = policy.try_admit(early).unwrap_err();
            assert_eq!(refused.retry_after(), SECOND * 5);
            let refused = policy.try_admit(early + SECOND * 4).unwrap_err();
            assert_eq!(refused.retry_after(), SECOND);
            // The breaker opens again, according to the clock that was set back.
            fail(early + SECOND * 5);
            assert_eq!(policy.state(), State::Open);
            let refused = policy.try_admit(early + SECOND * 9).unwrap_err();
            assert_eq!(refused.retry_after(), SECOND);
            let probe = policy.try_admit(early + SECOND * 10).expect("over");
            probe.complete(Verdict::Success, early + SECOND * 10);
            assert_eq!(policy.state(), State::Closed);
        }
    }
}

#[test]
fn a_window_of_time_goes_on_counting() {
    let policy = CircuitBreaker::time_window(SECOND)
        .minimum_calls(4)
        .policy();
    let policy = policy.expect("in range");
    let ms = Duration::from_millis;
    let call = |verdict, now| {
        policy
            .try_admit(now)
            .expect("closed")
            .complete(verdict, now)
    };
    let mut start = LATE;
    for early in EARLY.into_iter().skip(1) {
        // The loop makes a good call in each bucket of the ring, and is followed by a failure.
        (0..32).for_each(|nth| call(Verdict::Success, start + ms(nth * 50)));
        call(Verdict::Failure, start + ms(1_600));
        assert!(policy.reading().calls() > 10);
        call(Verdict::Success, early);
        assert_eq!(policy.reading().calls(), 1, "of the clock as it is now");
        start = early;
    }
    for nth in 0..3 {
        assert_eq!(policy.state(), State::Closed);
        call(Verdict::Failure, start + ms(nth * 100));
    }
    assert_eq!(policy.state(), State::Open);
}

#[test]
fn a_lost_probe_is_given_up_in_the_usual_time() {
    for early in EARLY {
        let breaker = CircuitBreaker::consecutive(1).open_for(SECOND * 5);
        let breaker = breaker.half_open_probes(1).half_open_for(SECOND * 7);
        let policy = breaker.policy().expect("in range");
        let admission = policy.try_admit(LATE - SECOND * 5).expect("closed");
        admission.complete(Verdict::Failure, LATE - SECOND * 5);
        let probe = policy.try_admit(LATE).expect("over");
        let refused = policy.try_admit(early).unwrap_err();
        assert!(refused.retry_after() <= SECOND * 7);
        // The lost probe is given up, and the breaker is open for its full time again.
        let refused = policy.try_admit(early + SECOND * 7).unwrap_err();
        assert!(refused.retry_after() <= SECOND * 5);
        assert!(policy.try_admit(early + SECOND * 12).is_ok());
        drop(probe);
    }
}

/// A silent layer around the breaker takes some time, so that the breaker opens after the dispatch
/// began.
#[test]
fn a_dispatch_that_began_long_ago_does_not_close_a_breaker_early() {
    let (clock, fails) = (FakeClock::new(), Arc::new(OnceLock::<CommandBus>::new()));
    let (time, opens) = (clock.clone(), Arc::clone(&fails));
    let bus = CommandBus::builder()
        .clock(clock.clone())
        .wrap(guard(move |msg: &Act, cx: &Context<'_>| {
            cx.started();
            if *msg == Act::Answer(1) {
                time.advance(SECOND * 60);
                let bus = opens.get().expect("built");
                assert!(bus.execute_blocking(Act::Fail).unwrap_err().is_handler());
            }
            Ok(())
        }))
        .layer(CircuitBreaker::consecutive(1).open_for(SECOND * 50))
        .register(Actor::default())
        .build()
        .expect("in range");
    fails.set(bus.clone()).expect("once");
    let refused = |left| {
        Err(Error::CircuitOpen {
            retry_after: SECOND * left,
        })
    };
    assert_eq!(bus.execute_blocking(Act::Answer(1)), refused(50));
    clock.advance(SECOND * 49);
    assert_eq!(each_lane(&bus, Act::Answer(2)), [refused(1), refused(1)]);
    clock.advance(SECOND);
    assert_eq!(each_lane(&bus, Act::Answer(2)), [Ok(2), Ok(2)]);
}

#[test]
fn a_key_and_its_place_are_freed_in_time() {
    for early in EARLY {
        let limits = KeyedRateLimitPolicy::<u32>::new(Rate::new(2, SECOND), 1).expect("in range");
        assert!(limits.check_n(&1, LATE, 2).is_ok());
        let Err(KeyRefused::Limited(refused)) = limits.check(&1, early) else {
            panic!("it has none");
        };
        assert!(refused.retry_after() <= Some(SECOND));
        assert!(limits.check(&2, early).is_err(), "there is one place");
        assert!(limits.check(&2, early + SECOND * 2).is_ok());
        assert!(limits.check_n(&2, early + SECOND * 4, 2).is_ok());
    }
}

#[test]
fn a_budget_regains_its_minimum_in_time() {
    for early in EARLY {
        let budget = Budget::new(0.1).burst(1).minimum_per_second(2);
        while budget.try_take(LATE) {}
        assert!(!budget.try_take(LATE));
        // The budget's bucket fills within a second, so no wait may be longer.
        let mut steps = (0..=10).map(|step| early + SECOND * step / 10);
        assert!(steps.any(|now| budget.try_take(now)));
    }
}

#[test]
fn an_adaptive_limit_goes_on_learning() {
    for early in EARLY {
        let policy = AdaptiveLimit::aimd(SECOND).initial(4).window(1).policy();
        let policy = policy.expect("in range");
        let enter = |now| policy.try_acquire(Priority::Critical, now).expect("room");
        let (one, two) = (enter(LATE), enter(LATE));
        one.overloaded(LATE + SECOND);
        let lowered = policy.usage().limit;
        assert!(lowered < 4);
        two.answered(early);
        let ms = Duration::from_millis;
        for step in 0..20 {
            let now = early + ms(step * 100);
            let (one, two) = (enter(now), enter(now));
            one.answered(now + ms(10));
            two.answered(now + ms(10));
        }
        let grown = policy.usage().limit;
        assert!(grown > lowered, "{grown} after {lowered}");
        // The first call may have entered before the last reduction of the limit.
        enter(early + SECOND * 5).overloaded(early + SECOND * 6);
        enter(early + SECOND * 7).overloaded(early + SECOND * 8);
        assert!(policy.usage().limit < grown);
    }
}

#[test]
fn a_key_is_kept_for_one_to_two_windows() {
    for early in EARLY {
        let keys = MemoryStore::new(SECOND * 60, 1).expect("in range");
        let payload = Fingerprint::of(&1);
        let begin = |key: &str, now| keys.begin(&key.into(), payload, now);
        let Begin::Run(run) = begin("a", LATE) else {
            panic!("it is new");
        };
        keys.finish(run, 7);
        assert!(matches!(begin("a", early), Begin::Known(_)));
        assert!(matches!(begin("a", early + SECOND * 59), Begin::Known(_)));
        assert!(matches!(
            begin("b", early + SECOND * 59),
            Begin::Full { .. }
        ));
        assert!(matches!(begin("b", early + SECOND * 120), Begin::Run(_)));
        assert!(matches!(begin("c", early + SECOND * 180), Begin::Run(_)));
    }
}
