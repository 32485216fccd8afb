use std::io;

use arcbus::{Class, Classify};

#[derive(Classify)]
enum PayError {
    #[transient]
    Down,
    #[permanent]
    File(io::Error),
    #[nested]
    Bank(arcbus::Error<std::convert::Infallible>),
    Both(#[nested] arcbus::Error<std::convert::Infallible>, u64),
    Other,
}

fn main() {
    assert_eq!(PayError::Down.classify(), Class::Transient);
}
