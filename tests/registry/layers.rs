//! Registrars with their own layers, and the capacity of the table.

use std::panic::{AssertUnwindSafe, catch_unwind};

use arcbus::{Context, Gated, InvalidSetting, Layer, Message, Query, QueryBus, RouteInfo, from_fn};

use crate::support::{Ask, Drops, Notes, all, ask, open};

#[test]
fn a_layer_makes_a_middleware_for_each_registration() {
    let (notes, drops) = (Notes::default(), Drops::default());
    let (bus, registrar) = QueryBus::builder()
        .layer(notes.layer("outer"))
        .open()
        .expect("empty");
    let inner = registrar.layer(notes.layer("inner"));
    assert!(notes.take().is_empty());
    inner.must_register::<Ask<1>, _>(drops.handler(1));
    let mut made = notes.take();
    made.sort_unstable();
    assert_eq!(made, ["inner for a", "outer for a"]);
    drop(inner.replace::<Ask<1>, _>(drops.handler(2)));
    assert_eq!(notes.take().len(), 2);
    assert_eq!(ask::<1>(&bus), Some(2));
    assert_eq!(notes.take(), ["outer", "inner"]);
}

#[test]
fn a_registrar_with_a_layer_does_not_change_its_original() {
    let (notes, drops) = (Notes::default(), Drops::default());
    let (bus, registrar) = open();
    let layered = registrar.layer(notes.layer("inner"));
    registrar.must_register::<Ask<1>, _>(drops.handler(1));
    layered.clone().must_register::<Ask<2>, _>(drops.handler(2));
    notes.take();
    assert_eq!(ask::<1>(&bus), Some(1));
    assert!(notes.take().is_empty());
    assert_eq!(ask::<2>(&bus), Some(2));
    assert_eq!(notes.take(), ["inner"]);
    assert!(layered.deregister::<Ask<1>>().is_ok(), "one registry");
}

/// Returns the listed layers of `Ask<1>`, and checks that they run in the listed order.
fn layers(bus: &QueryBus, notes: &Notes) -> Vec<&'static str> {
    notes.take();
    assert!(ask::<1>(bus).is_some());
    let listed = bus.routes()[0].layers().to_vec();
    assert_eq!(notes.take(), listed);
    listed
}

#[test]
fn a_replace_uses_the_layers_of_its_registrar() {
    let (notes, drops) = (Notes::default(), Drops::default());
    let (bus, plain) = open();
    let one = plain.layer(notes.layer("one"));
    let two = one.layer(notes.layer("two"));
    two.must_register::<Ask<1>, _>(drops.handler(1));
    assert_eq!(layers(&bus, &notes), ["one", "two"]);
    drop(plain.replace::<Ask<1>, _>(drops.handler(2)));
    assert!(layers(&bus, &notes).is_empty());
    drop(one.replace::<Ask<1>, _>(drops.handler(3)));
    assert_eq!(layers(&bus, &notes), ["one"]);
}

#[test]
fn a_batch_uses_the_layers_of_its_registrar() {
    let (notes, drops) = (Notes::default(), Drops::default());
    let (bus, plain) = open();
    let one = plain.layer(notes.layer("one"));
    drop(one.update(|batch| {
        batch.register::<Ask<1>, _>(drops.handler(1));
    }));
    assert_eq!(layers(&bus, &notes), ["one"]);
    drop(plain.update(|batch| {
        batch.replace::<Ask<1>, _>(drops.handler(2));
    }));
    assert!(layers(&bus, &notes).is_empty());
}

#[test]
fn a_wrapped_middleware_is_shared_by_every_route() {
    let (notes, drops) = (Notes::default(), Drops::default());
    let (bus, registrar) = open();
    let wrapped = registrar.wrap(Gated(notes.layer("wrapped")));
    wrapped.must_register::<Ask<1>, _>(drops.handler(1));
    wrapped.must_register::<Ask<2>, _>(drops.handler(2));
    assert!(notes.take().is_empty());
    assert_eq!((ask::<1>(&bus), ask::<2>(&bus)), (Some(1), Some(2)));
    assert_eq!(notes.take(), ["wrapped", "wrapped"]);
}

const LETTERS: &str = "abcdefghijklmnopqrstuvwxyz";

/// A message type for each letter.
struct Letter<const N: usize>;

impl<const N: usize> Message for Letter<N> {
    const NAME: &'static str = LETTERS.split_at(N).1.split_at(1).0;
    type Kind = Query;
    type Reply = usize;
    type Error = String;
}

fn letter<const N: usize>(_: Letter<N>, _cx: &Context<'_>) -> Result<usize, String> {
    Ok(N)
}

/// Calls `$work!(N)` for each letter.
macro_rules! each_letter {
    ($work:ident) => {
        each_letter!($work: 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25)
    };
    ($work:ident: $($n:literal)*) => {
        $($work!($n);)*
    };
}

fn answers_every_letter(bus: &QueryBus) {
    let names: String = bus.routes().iter().map(RouteInfo::name).collect();
    assert_eq!(names, LETTERS);
    macro_rules! answers {
        ($n:literal) => {
            assert_eq!(bus.execute_blocking(Letter::<$n>), Ok($n));
        };
    }
    each_letter!(answers);
}

#[test]
fn a_table_takes_more_than_its_capacity_from_the_builder() {
    let mut builder = QueryBus::builder().capacity(1);
    macro_rules! register {
        ($n:literal) => {
            builder = builder.register(from_fn(letter::<$n>));
        };
    }
    each_letter!(register);
    answers_every_letter(&builder.build().expect("names differ"));
}

#[test]
fn a_table_takes_more_than_its_capacity_singly_and_in_a_batch() {
    for capacity in [1, 25, 26, 1000] {
        let (bus, registrar) = QueryBus::builder()
            .capacity(capacity)
            .open()
            .expect("empty");
        macro_rules! register {
            ($n:literal) => {
                registrar.must_register(from_fn(letter::<$n>));
            };
        }
        each_letter!(register);
        answers_every_letter(&bus);
        let changed = registrar.update(|batch| {
            macro_rules! change {
                ($n:literal) => {
                    batch
                        .deregister::<Letter<$n>>()
                        .register(from_fn(letter::<$n>));
                };
            }
            each_letter!(change);
        });
        assert!(changed.expect("registered").is_drained());
        answers_every_letter(&bus);
    }
}

arcbus::middleware! {
    struct Nothing;

    async fn handle<M>(self, msg, cx, next) {
        next.run(msg, cx).await
    }
}

/// Panics when asked to make a middleware for `Ask<2>`.
struct Fragile;

impl<M: Message> Layer<M> for Fragile {
    type Middleware = Nothing;

    fn middleware(
        &self,
        route: &RouteInfo,
        _previous: Option<&Nothing>,
    ) -> Result<Nothing, InvalidSetting> {
        assert_ne!(route.name(), <Ask<2>>::NAME, "fragile");
        Ok(Nothing)
    }
}

#[test]
fn a_layer_that_panics_reaches_the_writer_and_changes_nothing() {
    let drops = Drops::default();
    let (bus, registrar) = open();
    let fragile = registrar.layer(Fragile);
    registrar.must_register::<Ask<2>, _>(drops.handler(2));
    let before = all(&bus);
    let replace = AssertUnwindSafe(|| fragile.replace::<Ask<2>, _>(drops.handler(22)));
    assert!(catch_unwind(replace).is_err());
    let update = AssertUnwindSafe(|| {
        fragile.update(|batch| {
            batch
                .register::<Ask<1>, _>(drops.handler(1))
                .replace::<Ask<2>, _>(drops.handler(23));
        })
    });
    assert!(catch_unwind(update).is_err());
    assert_eq!(all(&bus), before);
    assert_eq!(drops.numbers(), [1, 22, 23]);
    fragile.must_register::<Ask<1>, _>(drops.handler(11));
    assert_eq!(ask::<1>(&bus), Some(11));
}
