//! Tests of the keyed policy without a bus, with explicit time.

use std::sync::Arc;
use std::time::Duration;

use super::{KeyRefused, KeyedRateLimitPolicy};
use crate::middleware::rate_limit::Rate;

const START: Duration = Duration::from_secs(60);

fn at(millis: u64) -> Duration {
    START + Duration::from_millis(millis)
}

/// Returns a policy that gives each key a token in 10 ms.
fn policy<K: std::hash::Hash + Eq>(burst: u32, max_keys: usize) -> KeyedRateLimitPolicy<K> {
    KeyedRateLimitPolicy::new(Rate::per_second(100).burst(burst), max_keys).expect("in range")
}

#[test]
fn keys_do_not_see_each_other() {
    let policy = policy::<String>(2, 10);
    assert_eq!(policy.check_n("ann", START, 2), Ok(()));
    let refused = policy.check("ann", START).unwrap_err();
    assert!(matches!(refused, KeyRefused::Limited(limited)
        if limited.retry_after() == Some(Duration::from_millis(10))));
    assert_eq!(policy.available("ann", START), 0);
    assert_eq!(policy.available("bob", START), 2);
    assert_eq!(policy.check("bob", START), Ok(()));
    assert_eq!(policy.keys(), 2);
}

#[test]
fn only_idle_keys_make_room() {
    let policy = policy::<u32>(2, 2);
    assert_eq!(policy.check_n(&1, START, 2), Ok(()));
    assert_eq!(policy.check(&2, START), Ok(()));
    let full = Err(KeyRefused::Full { max_keys: 2 });
    assert_eq!(policy.check(&3, at(5)), full, "both are active");
    assert_eq!(
        policy.check(&3, at(10)),
        Ok(()),
        "the second is idle by now"
    );
    assert_eq!(policy.keys(), 2);
    assert_eq!(policy.available(&1, at(10)), 1, "the first is not");
    assert!(policy.check_n(&1, at(10), 2).is_err());
    assert_eq!(policy.check(&4, at(15)), full);
}

#[test]
fn an_idle_key_is_looked_for_once_a_millisecond() {
    let policy = policy::<u32>(1, 1);
    assert_eq!(policy.check(&1, START), Ok(()));
    assert!(policy.check(&2, at(10) - Duration::from_micros(1)).is_err());
    assert!(policy.check(&2, at(10)).is_err(), "somebody just looked");
    assert_eq!(policy.check(&2, at(11)), Ok(()));
}

#[test]
fn no_more_keys_than_there_is_room_for() {
    for max_keys in [1, 7, 2000] {
        let policy = policy::<usize>(1, max_keys);
        let passed = (0..3 * max_keys).filter(|key| policy.check(key, START).is_ok());
        let passed = passed.count();
        assert_eq!(policy.keys(), passed);
        assert!(passed <= max_keys);
        assert!(passed >= max_keys * 3 / 4, "{passed} of {max_keys}");
    }
}

#[test]
fn the_table_does_not_grow_by_idle_keys() {
    let policy = policy::<u64>(1, 100_000);
    for key in 0..10_000 {
        // Each key is idle when the next one comes.
        assert_eq!(policy.check(&key, at(20 * key)), Ok(()));
    }
    assert!(policy.keys() < 1000, "{}", policy.keys());
    assert!(policy.evict_idle(at(20 * 10_000)) > 0);
    assert_eq!(policy.keys(), 0);
}

#[test]
fn a_change_holds_for_every_key() {
    let policy = KeyedRateLimitPolicy::new(Rate::every(Duration::from_secs(3600)), 10);
    let policy = policy.expect("in range");
    assert_eq!(
        (policy.check(&1, START), policy.check(&2, START)),
        (Ok(()), Ok(()))
    );
    policy
        .change(START, Rate::per_second(100).burst(1))
        .expect("in range");
    assert_eq!(policy.rate(), Rate::per_second(100).burst(1));
    for key in [1, 2] {
        assert!(policy.check(&key, START).is_err());
        assert_eq!(policy.check(&key, at(10)), Ok(()));
    }
}

#[test]
fn what_is_out_of_range_is_refused_by_name() {
    let field = |rate, max_keys| {
        let policy = KeyedRateLimitPolicy::<u32>::new(rate, max_keys);
        policy.unwrap_err().field()
    };
    let rate = Rate::per_second(1);
    assert_eq!(field(rate, 0), "KeyedRateLimit.max_keys");
    assert_eq!(field(rate.burst(0), 1), "KeyedRateLimit.burst");
    assert_eq!(field(Rate::per_second(0), 1), "KeyedRateLimit.rate");
}

/// A key whose drop calls the policy.
#[derive(Clone)]
struct Asks(
    u32,
    Arc<std::sync::OnceLock<Arc<KeyedRateLimitPolicy<Asks>>>>,
);

impl PartialEq for Asks {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for Asks {}

impl std::hash::Hash for Asks {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl Drop for Asks {
    fn drop(&mut self) {
        if let Some(policy) = self.1.get() {
            assert!(policy.keys() <= 1);
        }
    }
}

#[test]
fn keys_are_dropped_outside_the_lock() {
    let limits = Arc::new(policy::<Asks>(1, 1));
    let asked = Arc::new(std::sync::OnceLock::new());
    let key = |id| Asks(id, Arc::clone(&asked));
    assert!(asked.set(Arc::clone(&limits)).is_ok());
    assert_eq!(limits.check(&key(1), START), Ok(()));
    assert!(limits.check(&key(2), START).is_err());
    assert_eq!(limits.check(&key(2), at(100)), Ok(()));
    assert_eq!(limits.evict_idle(at(200)), 1);
}
