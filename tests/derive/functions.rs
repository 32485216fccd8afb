//! `.handle(..)`, `.handle_sync(..)` and `.handle_with(..)` of a builder, a registrar and a batch.

use std::convert::Infallible;
use std::future::ready;
use std::sync::Arc;

use arcbus::{
    Context, Message, Query, QueryBus, RegistrationError, from_async_fn, from_async_fn_with,
    from_fn,
};

/// Implemented by hand, so that each number has its own name.
struct Number<const N: usize>;

impl<const N: usize> Message for Number<N> {
    const NAME: &'static str = ["zero", "one", "two", "three", "four", "five"][N];
    type Kind = Query;
    type Reply = u64;
    type Error = Infallible;
}

type Reply = Result<u64, Infallible>;

async fn alone(_: Number<0>) -> Reply {
    ready(Ok(10)).await
}

async fn in_context(_: Number<1>, cx: &Context<'_>) -> Reply {
    ready(Ok(11 + u64::from(cx.remaining().is_some()))).await
}

async fn with_state(state: &Arc<u64>, _: Number<2>) -> Reply {
    ready(Ok(12 + **state)).await
}

async fn with_both(state: &[u64; 2], _: Number<3>, cx: &Context<'_>) -> Reply {
    ready(Ok(13 + state[1] + u64::from(cx.remaining().is_some()))).await
}

fn plain(_: Number<4>) -> Reply {
    Ok(14)
}

fn plain_in_context(_: Number<5>, cx: &Context<'_>) -> Reply {
    Ok(15 + u64::from(cx.remaining().is_some()))
}

/// Returns the replies to all numbers, asked for one after the other.
fn ask(bus: &QueryBus) -> [u64; 6] {
    [
        bus.execute_blocking(Number::<0>).expect("a reply"),
        bus.execute_blocking(Number::<1>).expect("a reply"),
        bus.execute_blocking(Number::<2>).expect("a reply"),
        bus.execute_blocking(Number::<3>).expect("a reply"),
        bus.execute_blocking(Number::<4>).expect("a reply"),
        bus.execute_blocking(Number::<5>).expect("a reply"),
    ]
}

#[test]
fn a_builder_takes_functions_of_each_shape() {
    let bus = QueryBus::builder()
        .handle(alone)
        .handle(in_context)
        .handle_with(Arc::new(100), with_state)
        .handle_with([0, 3], with_both)
        .handle_sync(plain)
        .handle_sync(plain_in_context)
        .build()
        .expect("six handlers");
    assert_eq!(ask(&bus), [10, 11, 112, 16, 14, 15]);
    let cx = Context::new().timeout(std::time::Duration::from_secs(60));
    assert_eq!(bus.execute_blocking_with(Number::<5>, cx), Ok(16));
}

#[test]
fn a_builder_takes_closures_of_each_shape() {
    let (one, two) = (String::from("a"), Arc::new(7));
    let bus = QueryBus::builder()
        .handle(async |_: Number<0>| Ok(1))
        .handle(async |_: Number<1>, _: &Context<'_>| Ok(2))
        .handle_with(3, async |state: &u64, _: Number<2>| ready(Ok(*state)).await)
        .handle_with(4, async |state: &u64, _: Number<3>, _: &Context<'_>| {
            Ok(*state)
        })
        .handle_sync(move |_: Number<4>| Ok(one.len() as u64))
        .handle(move |_: Number<5>| {
            let two = Arc::clone(&two);
            async move { Ok(*two) }
        })
        .build()
        .expect("six handlers");
    assert_eq!(ask(&bus), [1, 2, 3, 4, 1, 7]);
}

#[test]
fn a_registrar_and_a_batch_take_functions() {
    let (bus, registrar) = QueryBus::builder().open().expect("no handlers");
    registrar.handle(alone).expect("it is new");
    registrar.handle_sync(plain).expect("it is new");
    registrar
        .handle_with(Arc::new(1), with_state)
        .expect("it is new");
    let again = registrar.handle(alone);
    assert!(matches!(again, Err(RegistrationError::Duplicate { .. })));
    let _ = registrar
        .update(|batch| {
            batch
                .handle(in_context)
                .handle_sync(plain_in_context)
                .handle_with([0, 0], with_both);
        })
        .expect("they are new");
    assert_eq!(ask(&bus), [10, 11, 13, 13, 14, 15]);
}

#[test]
fn handlers_of_functions_are_values() {
    let bus = QueryBus::builder()
        .register(from_async_fn(alone).clone())
        .register(from_async_fn(in_context))
        .register(from_async_fn_with(Arc::new(1), with_state).clone())
        .register(from_async_fn_with([0, 0], with_both))
        .register(from_fn(plain).clone())
        .register(from_fn(plain_in_context))
        .build()
        .expect("six handlers");
    assert_eq!(ask(&bus), [10, 11, 13, 13, 14, 15]);
    assert_eq!(format!("{:?}", from_fn(plain)), "FnHandler");
}
