//! `#[idempotency_key]`: marks the field of a command that holds its idempotency key.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arcbus::middleware::Idempotency;
use arcbus::middleware::idempotency::{HasIdempotencyKey, IdempotencyKey};
use arcbus::{Command, CommandBus, Context, from_fn};

#[derive(Command, Hash, Clone)]
#[message(reply = u64)]
struct Charge {
    #[idempotency_key]
    request: Option<Arc<str>>,
    cents: u64,
}

#[test]
fn a_command_with_one_key_acts_once() {
    let total = AtomicU64::new(0);
    let bus = CommandBus::builder()
        .layer(Idempotency::in_memory(Duration::from_secs(60)).key_in_message())
        .register(from_fn(move |msg: Charge, _: &Context<'_>| {
            Ok(total.fetch_add(msg.cents, Ordering::Relaxed) + msg.cents)
        }))
        .build()
        .expect("one handler");
    let charge = |request: Option<&str>| {
        let request = request.map(Arc::from);
        bus.execute_blocking(Charge { request, cents: 5 }).ok()
    };
    assert_eq!([charge(Some("a")), charge(Some("a"))], [Some(5), Some(5)]);
    assert_eq!(charge(Some("b")), Some(10));
    assert_eq!([charge(None), charge(None)], [Some(15), Some(20)]);
}

#[test]
fn texts_are_keys() {
    #[derive(Command)]
    struct Of<T: arcbus::middleware::idempotency::ToIdempotencyKey>(#[idempotency_key] T);

    fn key(msg: impl HasIdempotencyKey) -> Option<String> {
        msg.idempotency_key().map(|key| key.as_str().to_owned())
    }
    assert_eq!(key(Of("a")).as_deref(), Some("a"));
    assert_eq!(key(Of("a".to_owned())).as_deref(), Some("a"));
    assert_eq!(key(Of(Box::<str>::from("a"))).as_deref(), Some("a"));
    assert_eq!(key(Of(IdempotencyKey::new("a"))).as_deref(), Some("a"));
    assert_eq!(key(Of(None::<String>)), None);
}
