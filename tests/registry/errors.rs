//! A rejected change gives its reason, and changes nothing.

use std::any::type_name;
use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind};

use arcbus::{Context, Message, Query, QueryBus, RegistrationError, from_fn};

use crate::support::{Ask, Changer, Drops, all, open};

fn duplicate() -> String {
    format!(
        "message 'a' ({}) has a handler already: use `replace` to change it",
        type_name::<Ask<1>>()
    )
}

fn empty_name() -> String {
    format!(
        "message {} has an empty `NAME`: give it one that is unique in the bus",
        type_name::<Ask<0>>()
    )
}

fn name_clash() -> String {
    format!(
        "message 'same' ({}) has the same `NAME` as {}: names are unique in a bus, so give one of them another, \
             by `#[message(name = \"..\")]` where the name is derived from the type's",
        type_name::<Ask<5>>(),
        type_name::<Ask<4>>()
    )
}

fn not_registered() -> String {
    format!(
        "message 'b' ({}) has no handler: use `register` to add one",
        type_name::<Ask<2>>()
    )
}

/// Builds a bus with handlers for `Ask<1>` and `Ask<4>`.
fn two() -> (QueryBus, Changer, Drops) {
    let drops = Drops::default();
    let (bus, registrar) = open();
    registrar.must_register::<Ask<1>, _>(drops.handler(1));
    registrar.must_register::<Ask<4>, _>(drops.handler(4));
    (bus, registrar, drops)
}

/// Attempts a change with handler 9, which must be rejected with `text`.
fn refused<T: Debug>(
    text: String,
    attempt: impl FnOnce(&QueryBus, &Changer, &Drops) -> Result<T, RegistrationError>,
) {
    let (bus, registrar, drops) = two();
    let before = all(&bus);
    let error = attempt(&bus, &registrar, &drops).unwrap_err();
    assert_eq!(error.to_string(), text);
    assert_eq!(all(&bus), before);
    assert!(drops.numbers().iter().all(|number| *number == 9));
    drop((bus, registrar));
    let kept = drops.numbers().into_iter().filter(|number| *number != 9);
    assert_eq!(kept.collect::<Vec<_>>(), [1, 4]);
}

#[test]
fn a_message_registered_twice_is_refused() {
    refused(duplicate(), |_, registrar, drops| {
        let result = registrar.register::<Ask<1>, _>(drops.handler(9));
        assert_eq!(drops.numbers(), [9]);
        result
    });
}

#[test]
fn a_message_without_a_name_is_refused() {
    refused(empty_name(), |_, registrar, drops| {
        let result = registrar.register::<Ask<0>, _>(drops.handler(9));
        assert_eq!(drops.numbers(), [9]);
        result
    });
}

#[test]
fn two_messages_with_one_name_are_refused() {
    refused(name_clash(), |_, registrar, drops| {
        let result = registrar.register::<Ask<5>, _>(drops.handler(9));
        assert_eq!(drops.numbers(), [9]);
        result
    });
}

/// Two messages whose names have equal FNV-1a hashes.
struct Alike<const FIRST: bool>;

impl<const FIRST: bool> Message for Alike<FIRST> {
    const NAME: &'static str = if FIRST {
        "8yn0iYCKYHlIj4-BwPqk"
    } else {
        "GReLUrM4wMqfg9yzV3KQ"
    };
    type Kind = Query;
    type Reply = bool;
    type Error = std::convert::Infallible;
}

#[test]
fn names_with_equal_hashes_are_distinct() {
    let (bus, registrar) = QueryBus::builder().open().expect("no handlers");
    registrar.must_register(from_fn(|_: Alike<true>, _: &Context<'_>| Ok(true)));
    registrar.must_register(from_fn(|_: Alike<false>, _: &Context<'_>| Ok(false)));
    assert_eq!(bus.execute_blocking(Alike::<true>), Ok(true));
    assert_eq!(bus.execute_blocking(Alike::<false>), Ok(false));
    drop(registrar.deregister::<Alike<true>>().expect("registered"));
    let again = registrar.register(from_fn(|_: Alike<false>, _: &Context<'_>| Ok(false)));
    assert!(matches!(again, Err(RegistrationError::Duplicate { .. })));
    registrar.must_register(from_fn(|_: Alike<true>, _: &Context<'_>| Ok(true)));
}

#[test]
fn replacing_an_unregistered_message_is_refused() {
    refused(not_registered(), |_, registrar, drops| {
        let result = registrar.replace::<Ask<2>, _>(drops.handler(9));
        assert_eq!(drops.numbers(), [9]);
        result
    });
}

#[test]
fn deregistering_an_unregistered_message_is_refused() {
    refused(not_registered(), |_, registrar, _| {
        registrar.deregister::<Ask<2>>()
    });
}

#[test]
fn an_unregistered_message_has_no_route() {
    refused(not_registered(), |bus, _, _| bus.route::<Ask<2>>());
}

#[test]
fn replacing_by_a_type_with_an_equal_name_is_refused() {
    refused(
        format!(
            "message 'same' ({}) has no handler: use `register` to add one",
            type_name::<Ask<5>>()
        ),
        |_, registrar, drops| registrar.replace::<Ask<5>, _>(drops.handler(9)),
    );
}

/// Returns the text with which `work` panics.
fn panic_of(work: impl FnOnce()) -> String {
    let payload = catch_unwind(AssertUnwindSafe(work)).unwrap_err();
    payload
        .downcast_ref::<String>()
        .expect("a formatted text")
        .clone()
}

#[test]
fn must_register_panics_with_the_text_of_the_error() {
    let (bus, registrar, drops) = two();
    let before = all(&bus);
    let twice = panic_of(|| registrar.must_register::<Ask<1>, _>(drops.handler(9)));
    assert_eq!(twice, duplicate());
    let nameless = panic_of(|| registrar.must_register::<Ask<0>, _>(drops.handler(9)));
    assert_eq!(nameless, empty_name());
    let clash = panic_of(|| registrar.must_register::<Ask<5>, _>(drops.handler(9)));
    assert_eq!(clash, name_clash());
    assert_eq!(all(&bus), before);
    assert_eq!(drops.numbers(), [9, 9, 9]);
}

#[test]
fn a_builder_reports_the_first_mistake_and_drops_every_handler() {
    let drops = Drops::default();
    let error = QueryBus::builder()
        .register::<Ask<4>, _>(drops.handler(1))
        .register::<Ask<5>, _>(drops.handler(2))
        .register::<Ask<0>, _>(drops.handler(3))
        .build()
        .unwrap_err();
    assert_eq!(error.to_string(), name_clash());
    assert_eq!(drops.numbers(), [1, 2, 3]);
}

#[test]
fn a_builder_refuses_a_capacity_beyond_all_memory() {
    for capacity in [usize::MAX, usize::MAX >> 6] {
        let drops = Drops::default();
        let error = QueryBus::builder()
            .capacity(capacity)
            .register::<Ask<1>, _>(drops.handler(1))
            .build()
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "setting `capacity` is out of range: it must be small enough for the memory there is"
        );
        assert_eq!(drops.numbers(), [1]);
    }
}

#[test]
fn a_builder_refuses_a_zero_capacity_first() {
    let drops = Drops::default();
    let error = QueryBus::builder()
        .capacity(0)
        .register::<Ask<0>, _>(drops.handler(1))
        .open()
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "setting `capacity` is out of range: it must be at least 1"
    );
    assert_eq!(drops.numbers(), [1]);
}

#[test]
fn a_message_with_a_blank_name_is_refused() {
    struct Blank;

    impl Message for Blank {
        const NAME: &'static str = " \t";
        type Kind = Query;
        type Reply = u32;
        type Error = String;
    }

    let (_, registrar) = open();
    let error = registrar
        .register(from_fn(|_: Blank, _: &Context<'_>| Ok(1)))
        .expect_err("no name");
    assert!(matches!(error, RegistrationError::EmptyName { .. }));
    let text = error.to_string();
    assert!(text.contains("Blank has a blank `NAME`"), "{text}");
}
