//! `#[derive(Classify)]`: gives each variant of an error a class, or asks a nested error.

use std::convert::Infallible;

use arcbus::{Class, Classify, Error, ErrorKind, Phase, Rejection, Violations};

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
fn a_nested_error_gives_the_class() {
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
fn the_error_of_a_nested_dispatch_is_classified_by_its_message() {
    let class = |error: Error<Inner>| Outer::Dispatch(error).classify();
    let nested = |kind, may_have_acted| Class::Nested {
        kind,
        may_have_acted,
    };
    let down = class(Error::Handler(Inner::Down));
    assert_eq!(down, nested(ErrorKind::Transient, false));
    let gone = class(Error::Handler(Inner::Gone(1, 2)));
    assert_eq!(gone, nested(ErrorKind::Permanent, false));
    let unknown = class(Rejection::unauthenticated().into());
    assert_eq!(unknown, nested(ErrorKind::Unauthenticated, false));
    let invalid = Violations::new().with("name", "required", "must not be empty");
    let invalid = class(Error::Invalid(invalid));
    assert_eq!(invalid, nested(ErrorKind::Invalid, false));
    assert_eq!(class(Error::InDoubt), nested(ErrorKind::InDoubt, true));
    let phase = Phase::Indeterminate;
    let cancelled = class(Error::Cancelled { phase });
    assert_eq!(cancelled, nested(ErrorKind::Cancelled, true));
    let retry_after = std::time::Duration::from_millis(3);
    let limited: Error<Infallible> = Error::RateLimited { retry_after };
    assert_eq!(limited.classify(), nested(ErrorKind::RateLimited, false));
}
