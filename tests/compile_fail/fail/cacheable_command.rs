use std::convert::Infallible;

use arcbus::middleware::Cacheable;
use arcbus::{Command, Message};

#[derive(Clone, PartialEq, Eq, Hash)]
struct CreateUser;

impl Message for CreateUser {
    const NAME: &'static str = "user.create";
    type Kind = Command;
    type Reply = u32;
    type Error = Infallible;
}

impl Cacheable for CreateUser {
    type Key = Self;

    fn key(&self) -> &Self {
        self
    }
}

fn main() {}
