use arcbus::middleware::Retry;
use arcbus::{Command, CommandBus, Context, Message, from_fn};
use std::time::Duration;

#[derive(Clone)]
struct Deposit;

impl Message for Deposit {
    const NAME: &'static str = "account.deposit";
    type Kind = Command;
    type Reply = u32;
    type Error = String;
}

fn main() {
    let bus = CommandBus::builder()
        .layer(Retry::fixed(3, Duration::ZERO))
        .register(from_fn(|_: Deposit, _: &Context<'_>| Ok(7)))
        .build();
    assert!(bus.is_ok());
}
