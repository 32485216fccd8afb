use std::convert::Infallible;
use std::thread;

use arcbus::{Command, CommandBus, Context, Message, from_fn};

struct CreateUser;

impl Message for CreateUser {
    const NAME: &'static str = "user.create";
    type Kind = Command;
    type Reply = ();
    type Error = Infallible;
}

fn create(_: CreateUser, cx: &Context<'_>) -> Result<(), Infallible> {
    let cx = cx.derive();
    thread::spawn(move || assert!(!cx.is_cancelled()));
    Ok(())
}

fn main() {
    let bus = CommandBus::builder()
        .register(from_fn(create))
        .build()
        .unwrap();
    assert_eq!(bus.execute_blocking(CreateUser), Ok(()));
}
