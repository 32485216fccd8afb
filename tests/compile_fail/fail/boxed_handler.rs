use std::convert::Infallible;

use arcbus::{Context, Handler, Message, Query, QueryBus};

struct GetUser;

impl Message for GetUser {
    const NAME: &'static str = "user.get";
    type Kind = Query;
    type Reply = u32;
    type Error = Infallible;
}

struct Users;

impl Handler<GetUser> for Users {
    async fn handle(&self, _: GetUser, _: &Context<'_>) -> Result<u32, Infallible> {
        Ok(7)
    }
}

fn main() {
    let users: Box<dyn Handler<GetUser>> = Box::new(Users);
    let bus = QueryBus::builder().register(users).build();
    assert!(bus.is_ok());
}
