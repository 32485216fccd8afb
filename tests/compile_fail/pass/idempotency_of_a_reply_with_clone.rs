use std::convert::Infallible;
use std::time::Duration;

use arcbus::middleware::Idempotency;
use arcbus::{Command, CommandBus, Context, Message, from_fn};

#[derive(Hash)]
struct CreateUser;

impl Message for CreateUser {
    const NAME: &'static str = "user.create";
    type Kind = Command;
    type Reply = User;
    type Error = Infallible;
}

#[derive(Clone)]
struct User;

fn main() {
    let bus = CommandBus::builder()
        .layer(Idempotency::in_memory(Duration::from_secs(60)))
        .register(from_fn(|_: CreateUser, _: &Context<'_>| Ok(User)))
        .build();
    assert!(bus.is_ok());
}
