//! A strict bus rejects the orders that `explain` warns of.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arcbus::{Context, Handler, Message, MessageType, Query, QueryBus, RegistrationError, from_fn};

use super::stand_ins::{Ask, plain};

struct Tell;

impl Message for Tell {
    const NAME: &'static str = "tell";
    type Kind = Query;
    type Reply = u8;
    type Error = String;
}

/// A handler that counts its drops.
struct Answer(Arc<AtomicUsize>);

impl<M: Message<Reply = u8, Error = String>> Handler<M> for Answer {
    async fn handle(&self, _msg: M, _cx: &Context<'_>) -> Result<u8, String> {
        Ok(1)
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn dangers(error: &RegistrationError) -> (MessageType, Vec<(&'static str, &'static str)>) {
    let RegistrationError::DangerousOrder { message, warnings } = error else {
        panic!("{error}");
    };
    let pairs = warnings.iter().map(|w| (w.outer(), w.inner()));
    (*message, pairs.collect())
}

#[test]
fn a_strict_bus_is_not_built_with_a_dangerous_order() {
    let gone = Arc::new(AtomicUsize::new(0));
    let builder = || {
        QueryBus::builder()
            .register::<Tell, _>(Answer(Arc::clone(&gone)))
            .scope(|s| {
                s.layer(plain::Cache())
                    .layer(plain::Authorize())
                    .layer(plain::Metrics())
                    .register::<Ask, _>(Answer(Arc::clone(&gone)))
            })
    };
    let error = builder().build_strict().expect_err("dangerous");
    let expected = vec![("Cache", "Authorize"), ("Cache", "Metrics")];
    assert_eq!(dangers(&error), (MessageType::of::<Ask>(), expected));
    assert_eq!(gone.load(Ordering::Relaxed), 2, "nothing is left");
    assert!(builder().open_strict().is_err());

    let text = error.to_string();
    assert!(text.starts_with("message 'ask'"), "{text}");
    assert_eq!(text.matches("Better: ").count(), 2, "{text}");

    let bus = builder().build().expect("not strict");
    assert_eq!(bus.execute_blocking(Ask), Ok(1));
}

#[test]
fn a_strict_bus_is_built_with_a_good_order() {
    let bus = QueryBus::builder()
        .layer(plain::Authorize())
        .layer(plain::Cache())
        .register(from_fn(|_: Ask, _: &Context<'_>| Ok(1)))
        .build_strict()
        .expect("sound");
    assert_eq!(bus.execute_blocking(Ask), Ok(1));
}

#[test]
fn the_first_mistake_is_reported() {
    let twice = QueryBus::builder()
        .register(from_fn(|_: Tell, _: &Context<'_>| Ok(1)))
        .register(from_fn(|_: Tell, _: &Context<'_>| Ok(1)))
        .layer(plain::Cache())
        .layer(plain::Authorize())
        .register(from_fn(|_: Ask, _: &Context<'_>| Ok(1)))
        .build_strict();
    let duplicate = RegistrationError::Duplicate {
        message: MessageType::of::<Tell>(),
    };
    assert_eq!(twice.expect_err("twice"), duplicate);
}

#[test]
fn a_strict_bus_rejects_dangerous_later_registrations() {
    let gone = Arc::new(AtomicUsize::new(0));
    let (bus, registrar) = QueryBus::builder()
        .layer(plain::Cache())
        .open_strict()
        .expect("sound");
    let answer = || Answer(Arc::clone(&gone));
    registrar.register::<Ask, _>(answer()).expect("sound");

    let dangerous = registrar.layer(plain::Authorize());
    let pair = vec![("Cache", "Authorize")];
    let error = dangerous
        .register::<Tell, _>(answer())
        .expect_err("dangerous");
    assert_eq!(dangers(&error), (MessageType::of::<Tell>(), pair.clone()));
    let error = dangerous
        .replace::<Ask, _>(answer())
        .expect_err("dangerous");
    assert_eq!(dangers(&error), (MessageType::of::<Ask>(), pair));
    let error = dangerous.update(|batch| {
        batch.deregister::<Ask>().register::<Tell, _>(answer());
    });
    assert_eq!(
        dangers(&error.expect_err("dangerous")).0,
        MessageType::of::<Tell>()
    );
    assert_eq!(gone.load(Ordering::Relaxed), 3);

    assert_eq!(bus.routes().len(), 1);
    assert_eq!(bus.execute_blocking(Ask), Ok(1));
    drop(dangerous.deregister::<Ask>().expect("it is there"));
    assert!(bus.explain::<Ask>().is_err());
}
