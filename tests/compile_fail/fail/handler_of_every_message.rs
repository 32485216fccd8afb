use std::convert::Infallible;

use arcbus::{Command, CommandBus, Context, Handler, Message};

struct CreateUser;

impl Message for CreateUser {
    const NAME: &'static str = "user.create";
    type Kind = Command;
    type Reply = ();
    type Error = Infallible;
}

struct Users;

impl<M: Message<Reply = ()>> Handler<M> for Users {
    async fn handle(&self, _: M, _: &Context<'_>) -> Result<(), M::Error> {
        Ok(())
    }
}

fn main() {
    let bus = CommandBus::builder().register(Users).build();
    assert!(bus.is_ok());
}
