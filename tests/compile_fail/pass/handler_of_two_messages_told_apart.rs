use std::convert::Infallible;

use arcbus::{Command, CommandBus, Context, Handler, Message};

struct CreateUser;

impl Message for CreateUser {
    const NAME: &'static str = "user.create";
    type Kind = Command;
    type Reply = ();
    type Error = Infallible;
}

struct DeleteUser;

impl Message for DeleteUser {
    const NAME: &'static str = "user.delete";
    type Kind = Command;
    type Reply = ();
    type Error = Infallible;
}

struct Users;

impl Handler<CreateUser> for Users {
    async fn handle(&self, _: CreateUser, _: &Context<'_>) -> Result<(), Infallible> {
        Ok(())
    }
}

impl Handler<DeleteUser> for Users {
    async fn handle(&self, _: DeleteUser, _: &Context<'_>) -> Result<(), Infallible> {
        Ok(())
    }
}

fn main() {
    let bus = CommandBus::builder()
        .register::<CreateUser, _>(Users)
        .register::<DeleteUser, _>(Users)
        .build();
    assert!(bus.is_ok());
}
