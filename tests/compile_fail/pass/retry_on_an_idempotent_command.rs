use arcbus::middleware::Retry;
use arcbus::{Command, CommandBus, Context, Idempotent, Message, from_fn};
use std::time::Duration;

#[derive(Clone)]
struct SetLimit;

impl Message for SetLimit {
    const NAME: &'static str = "account.set_limit";
    type Kind = Command;
    type Reply = u32;
    type Error = String;
}

impl Idempotent for SetLimit {}

fn main() {
    let bus = CommandBus::builder()
        .layer(Retry::fixed(3, Duration::ZERO))
        .register(from_fn(|_: SetLimit, _: &Context<'_>| Ok(7)))
        .build();
    assert!(bus.is_ok());
}
