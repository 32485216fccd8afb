use std::time::Duration;

use arcbus::middleware::Hedge;
use arcbus::{Command, CommandBus, Context, Message, from_fn};

#[derive(Clone)]
struct CreateUser;

impl Message for CreateUser {
    const NAME: &'static str = "user";
    type Kind = Command;
    type Reply = u32;
    type Error = String;
}

fn main() {
    let handler = from_fn(|_: CreateUser, _: &Context<'_>| Ok(7));
    let bus = CommandBus::builder()
        .scope(|s| s.layer(Hedge::after(Duration::from_millis(5))).register(handler))
        .build();
    assert!(bus.is_ok());
}
