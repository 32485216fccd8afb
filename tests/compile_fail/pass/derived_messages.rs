use std::fmt;

use arcbus::{Class, Classify, Command, Message, Query};

#[derive(Debug, Classify)]
enum PayError {
    #[transient]
    Down,
    #[permanent]
    Refused,
}

impl fmt::Display for PayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

#[derive(Command)]
#[message(name = "bank.pay", reply = String, error = PayError, classify, idempotent)]
struct Pay {
    #[idempotency_key]
    request: String,
    currency: &'static str,
}

#[derive(Query)]
#[message(reply = u64, error = PayError, classify = class)]
struct GetUser {
    name: Option<String>,
}

fn class(_: &PayError) -> Class {
    Class::Permanent
}

fn main() {
    assert_eq!((Pay::NAME, GetUser::NAME), ("bank.pay", "user.get"));
    assert_eq!(Pay::classify(&PayError::Down), Class::Transient);
}
