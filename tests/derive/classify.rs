//! `#[derive(Classify)]`.

use std::convert::Infallible;

use arcbus::{Class, Classify, Error, Phase, Rejection, TimeLimit, Violations};

#[derive(Classify)]
enum Inner {
    #[transient]
    Down,
    #[permanent]
    Gone(u8, u8),
    Odd {
        _why: u8,
    },
}

#[derive(Classify)]
enum Outer<E> {
    #[nested]
    Dispatch(Error<E>),
    #[nested]
    Named {
        inner: Box<Inner>,
    },
    Two(u8, #[nested] Inner),
    Other,
}

#[derive(Classify)]
#[permanent]
struct NotFound;

#[derive(Classify)]
struct Wrapped {
    #[nested]
    inner: Inner,
    _at: u64,
}

#[derive(Classify)]
enum Never {}

#[test]
fn a_variant_has_the_class_of_its_attribute() {
    assert_eq!(Inner::Down.classify(), Class::Transient);
    assert_eq!(Inner::Gone(1, 2).classify(), Class::Permanent);
    assert_eq!(Inner::Odd { _why: 3 }.classify(), Class::Unclassified);
    assert_eq!(Outer::<Inner>::Other.classify(), Class::Unclassified);
}

#[test]
fn a_nested_error_is_asked() {
    let named = |inner| Outer::<Inner>::Named {
        inner: Box::new(inner),
    };
    assert_eq!(named(Inner::Down).classify(), Class::Transient);
    assert_eq!(named(Inner::Gone(1, 2)).classify(), Class::Permanent);
    assert_eq!(
        Outer::<Inner>::Two(0, Inner::Down).classify(),
        Class::Transient
    );
    let inner = Inner::Odd { _why: 3 };
    assert_eq!(Wrapped { inner, _at: 7 }.classify(), Class::Unclassified);
}

#[test]
fn a_struct_has_the_class_of_its_attribute() {
    assert_eq!(NotFound.classify(), Class::Permanent);
    assert!(None::<Never>.is_none_or(|never| never.classify() == Class::Unclassified));
}

#[test]
fn the_error_of_a_nested_dispatch_says_what_the_bus_knows() {
    let class = |error: Error<Inner>| Outer::Dispatch(error).classify();
    assert_eq!(class(Error::Handler(Inner::Down)), Class::Transient);
    assert_eq!(class(Error::Handler(Inner::Gone(1, 2))), Class::Permanent);
    assert_eq!(class(Rejection::unauthenticated().into()), Class::Permanent);
    let invalid = Violations::new().with("name", "required", "must not be empty");
    assert_eq!(class(Error::Invalid(invalid)), Class::Permanent);
    assert_eq!(class(Error::InDoubt), Class::Unclassified);
    let phase = Phase::Indeterminate;
    assert_eq!(class(Error::Cancelled { phase }), Class::Unclassified);
    let elapsed = std::time::Duration::from_millis(3);
    let limit = TimeLimit::Layer;
    let late = Error::Timeout {
        phase,
        limit,
        elapsed,
    };
    assert_eq!(class(late), Class::Unclassified);
    let retry_after = elapsed;
    let limited: Error<Infallible> = Error::RateLimited { retry_after };
    assert_eq!(limited.classify(), Class::Transient);
}
