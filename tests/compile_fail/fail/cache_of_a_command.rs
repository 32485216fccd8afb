use std::time::Duration;

use arcbus::middleware::Cache;
use arcbus::{Context, Message, Command, CommandBus, from_fn};

struct CreateUser;

impl Message for CreateUser {
    const NAME: &'static str = "user.create";
    type Kind = Command;
    type Reply = u32;
    type Error = String;
}

fn main() {
    let bus = CommandBus::builder()
        .layer(Cache::ttl(Duration::from_secs(60)))
        .register(from_fn(|_: CreateUser, _: &Context<'_>| Ok(7)))
        .build();
    assert!(bus.is_ok());
}
