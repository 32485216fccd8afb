//! Keys that use their own limit while they are cloned and dropped.

use std::sync::Arc;
use std::time::Duration;

use arcbus::middleware::rate_limit::{KeyRefused, KeyedRateLimit, KeyedRateLimitPolicy, Rate};
use arcbus::{Command, CommandBus, Context, FakeClock, Message, from_fn};

use crate::acts::ready;
use crate::hostile::{Touchy, calm, on_touch, within_time};

const NOW: Duration = Duration::from_secs(60);

fn limit(max_keys: usize) -> Arc<KeyedRateLimitPolicy<Touchy>> {
    let policy = KeyedRateLimitPolicy::new(Rate::per_second(1), max_keys);
    Arc::new(policy.expect("in range"))
}

/// Calls every method of `policy` whenever a key is cloned or dropped.
fn uses_all(policy: &Arc<KeyedRateLimitPolicy<Touchy>>) {
    let policy = Arc::clone(policy);
    on_touch(move || {
        for key in 0..3 {
            let _ = policy.check(&Touchy(key), NOW);
            let _ = policy.available(&Touchy(key), NOW);
        }
        policy.evict_idle(NOW);
        policy.change(NOW, Rate::per_second(1)).expect("in range");
        assert!(policy.keys() <= policy.max_keys());
    });
}

#[test]
fn a_key_inserted_twice_is_dropped_outside_the_lock() {
    within_time(|| {
        let policy = limit(10);
        uses_all(&policy);
        // The clone of the key runs the action, which adds the key first.
        assert!(policy.check(&Touchy(1), NOW).is_err());
        assert!(calm() > 1, "cloned, and dropped");
        assert_eq!(policy.keys(), 3);
    });
}

#[test]
fn a_refused_key_is_dropped_outside_the_lock() {
    within_time(|| {
        let policy = limit(1);
        assert!(policy.check(&Touchy(9), NOW).is_ok());
        uses_all(&policy);
        let full = Err(KeyRefused::Full { max_keys: 1 });
        assert_eq!(policy.check(&Touchy(1), NOW), full);
        assert!(calm() > 1, "cloned, and dropped");
    });
}

#[test]
fn idle_keys_are_dropped_outside_the_lock() {
    within_time(|| {
        let policy = limit(2);
        let later = NOW + Duration::from_secs(60);
        for idle in [7, 8] {
            assert!(policy.check(&Touchy(idle), NOW).is_ok());
        }
        uses_all(&policy);
        let _ = policy.check(&Touchy(9), later);
        policy.evict_idle(later + Duration::from_secs(60));
        assert!(calm() > 3);
    });
}

struct Mail(Touchy);

impl Message for Mail {
    const NAME: &'static str = "mail";
    type Kind = Command;
    type Reply = ();
    type Error = String;
}

#[test]
fn keys_of_a_layer_may_send_messages_through_it() {
    within_time(|| {
        let limit =
            KeyedRateLimit::by_ref(Rate::per_second(1), |mail: &Mail, _: &Context<'_>| &mail.0);
        let bus = CommandBus::builder()
            .clock(FakeClock::new())
            .layer(limit.max_keys(2))
            .register(from_fn(|_: Mail, _: &Context<'_>| Ok(())))
            .build()
            .expect("in range");
        let again = bus.clone();
        on_touch(move || {
            for sender in 0..3 {
                let _ = again.execute_blocking(Mail(Touchy(sender)));
                let _ = ready(again.execute(Mail(Touchy(sender))));
            }
        });
        for sender in 0..3 {
            let _ = bus.execute_blocking(Mail(Touchy(sender)));
            let _ = ready(bus.execute(Mail(Touchy(sender))));
        }
        assert!(calm() > 3);
    });
}
