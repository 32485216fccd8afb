//! The state that starts anew: of another layer, of changed permanent settings, of a deregistered
//! message, and kept replies.

use std::time::Duration;

use arcbus::middleware::{Budget, Bulkhead, Cache, CircuitBreaker, Coalesce, Hedge, RateLimit};
use arcbus::{Query, Registrar, Stack};

use super::rig::{HOUR, LANES, Rig, Task, empty, rig};
use crate::acts::{poll_once, ready};

/// Replaces the handler through another registrar, by a version that ends its tasks at once.
fn swap_through<S: Stack<Task>, T: Stack<Task>>(rig: &Rig<S>, registrar: &Registrar<Query, T>) {
    let _ = registrar.replace(rig.version(true)).expect("registered");
}

#[test]
fn a_message_registered_again_starts_anew() {
    let rig = rig(RateLimit::new(1, HOUR));
    assert_eq!(rig.passed(1), 1);
    let _ = rig.registrar.deregister::<Task>().expect("registered");
    rig.registrar.must_register(rig.version(true));
    assert_eq!(rig.passed(1), 1);
    let update = rig.registrar.update(|batch| {
        batch.deregister::<Task>().register(rig.version(true));
    });
    let _ = update.expect("registered");
    assert_eq!(rig.passed(1), 1);
}

#[test]
fn another_layer_with_equal_settings_starts_anew() {
    let (bus, registrar, clock) = empty();
    let one = registrar.layer(RateLimit::new(1, HOUR));
    let two = registrar.layer(RateLimit::new(1, HOUR));
    let rig = Rig::around(bus, one, clock);
    assert_eq!(rig.passed(1), 1);
    swap_through(&rig, &two);
    assert_eq!(rig.passed(1), 1);
    swap_through(&rig, &two);
    assert_eq!(rig.passed(1), 0);
}

#[test]
fn a_layer_at_another_place_starts_anew() {
    let (bus, registrar, clock) = empty();
    let limit = RateLimit::new(1, HOUR);
    let rig = Rig::around(bus, registrar.layer(limit.clone()), clock);
    assert_eq!(rig.passed(1), 1);
    let inside = registrar.layer(Bulkhead::new(9)).layer(limit);
    swap_through(&rig, &inside);
    assert_eq!(rig.passed(1), 1);
}

#[test]
fn a_layer_that_was_switched_off_starts_anew() {
    let (bus, registrar, clock) = empty();
    let limit = RateLimit::new(1, HOUR);
    let on = registrar.layer(Some(limit));
    let rig = Rig::around(bus, on.clone(), clock);
    assert_eq!(rig.passed(1), 1);
    swap_through(&rig, &registrar.layer(None::<RateLimit>));
    assert_eq!(rig.passed(1), 2);
    swap_through(&rig, &on);
    assert_eq!(rig.passed(1), 1);
}

#[test]
fn a_clone_with_other_permanent_settings_starts_anew() {
    let (bus, registrar, clock) = empty();
    let breaker = CircuitBreaker::consecutive(1).open_for(HOUR);
    let rig = Rig::around(bus, registrar.layer(breaker.clone()), clock);
    assert_eq!(rig.passed(100), 0);
    assert_eq!(rig.passed(1), 0);
    swap_through(&rig, &registrar.layer(breaker.on_transition(|_| ())));
    assert_eq!(rig.passed(1), 2);
}

#[test]
fn a_hedge_with_another_budget_starts_anew() {
    let (bus, registrar, clock) = empty();
    let hedge = Hedge::after(HOUR);
    let handles = hedge.handles();
    let rig = Rig::around(bus, registrar.layer(hedge.clone()), clock);
    let policy = || handles.get("task").expect("registered");
    assert!(policy().try_hedge(Duration::ZERO));
    swap_through(&rig, &registrar.layer(hedge.clone()));
    assert_eq!(policy().counts().fired, 1);
    swap_through(&rig, &registrar.layer(hedge.budget(Budget::new(0.5))));
    assert_eq!(policy().counts().fired, 0);
}

#[test]
fn a_cache_drops_the_replies_of_the_old_handler() {
    let cache = Cache::ttl(HOUR);
    let handle = cache.handle::<Task>();
    let rig = rig(cache);
    assert_eq!(rig.both(1), [Ok(1), Ok(1)]);
    assert_eq!(handle.stats().loads, 1);
    rig.swap();
    assert_eq!(rig.both(1), [Ok(2), Ok(2)]);
}

#[test]
fn a_running_load_replies_to_its_waiters_and_to_no_caller_after_the_swap() {
    for lane in LANES {
        let rig = rig(Cache::ttl(HOUR));
        let outcome = rig.across_a_swap(lane, 1, || assert_eq!(rig.both(1), [Ok(3), Ok(3)]));
        assert_eq!((outcome, rig.both(1)), (Ok(2), [Ok(3), Ok(3)]));
    }
}

#[test]
fn a_run_of_the_old_handler_replies_to_its_waiters() {
    let rig = rig(Coalesce::new());
    let slow = rig.version(false);
    let gate = slow.gate();
    let _ = rig.registrar.replace(slow).expect("registered");
    let mut waits = [(); 2].map(|()| Box::pin(rig.bus.execute(Task(1))));
    for sent in &mut waits {
        assert!(poll_once(sent.as_mut()).is_pending());
    }
    rig.swap();
    assert_eq!(rig.both(1), [Ok(3), Ok(3)]);
    drop(gate);
    assert_eq!(waits.map(ready), [Some(Ok(2)), Some(Ok(2))]);
}
