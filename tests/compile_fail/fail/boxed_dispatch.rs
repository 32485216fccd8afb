use std::convert::Infallible;

use arcbus::{Context, Dispatch, Message, Query, QueryBus, from_fn};

struct GetUser;

impl Message for GetUser {
    const NAME: &'static str = "user.get";
    type Kind = Query;
    type Reply = u32;
    type Error = Infallible;
}

struct Users {
    bus: Box<dyn Dispatch<GetUser>>,
}

fn main() {
    let bus = QueryBus::builder()
        .register(from_fn(|_: GetUser, _: &Context<'_>| Ok(7)))
        .build()
        .unwrap();
    drop(Users { bus: Box::new(bus) });
}
