//! The option `crate`, and derives in modules where common names have another meaning.

/// A module that re-exports the library under another name.
mod inner {
    pub(super) use arcbus as bus;
}

mod renamed {
    use super::inner::bus::middleware::Cacheable;
    use super::inner::bus::{Classify, Command, Query};

    #[derive(Command)]
    #[message(crate = "super::inner::bus", idempotent)]
    pub(super) struct Ping {
        #[idempotency_key]
        key: String,
    }

    #[derive(Query, Cacheable)]
    #[message(crate = "super::inner::bus")]
    pub(super) struct Get(#[key] u8);

    #[derive(Classify)]
    #[classify(crate = "super::inner::bus")]
    #[transient]
    pub(super) struct Down;
}

/// A module in which names of the prelude are shadowed, on which no derive may depend.
mod shadowed {
    struct Option;
    struct Result;
    struct Send;
    struct Sync;
    struct String;
    struct Message;
    mod core {}
    mod std {}

    #[derive(arcbus::Command)]
    pub(super) struct Charge<T> {
        #[idempotency_key]
        request: &'static str,
        amount: T,
    }

    #[derive(arcbus::Query, arcbus::middleware::Cacheable)]
    #[message(classify = class)]
    pub(super) struct Get {
        #[key]
        one: u8,
        #[key]
        two: u8,
    }

    fn class(_: &::core::convert::Infallible) -> arcbus::Class {
        arcbus::Class::Unclassified
    }
}

#[test]
fn derives_find_the_library_under_any_path() {
    use arcbus::{Classify, Message};

    assert_eq!(renamed::Ping::NAME, "ping");
    assert_eq!(renamed::Get::NAME, "get");
    assert_eq!(renamed::Down.classify(), arcbus::Class::Transient);
    assert_eq!(shadowed::Charge::<u8>::NAME, "charge");
    assert_eq!(shadowed::Get::NAME, "get");
}
