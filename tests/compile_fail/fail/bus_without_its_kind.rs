use std::convert::Infallible;

use arcbus::{Bus, Context, Message, Query, QueryBus, from_fn};

struct GetUser;

impl Message for GetUser {
    const NAME: &'static str = "user.get";
    type Kind = Query;
    type Reply = u32;
    type Error = Infallible;
}

struct Users {
    bus: Bus,
}

fn get(bus: &Bus) -> u32 {
    bus.execute_blocking(GetUser).unwrap_or(0)
}

fn main() {
    let bus = QueryBus::builder()
        .register(from_fn(|_: GetUser, _: &Context<'_>| Ok(7)))
        .build()
        .unwrap();
    let users = Users { bus };
    assert_eq!(get(&users.bus), 7);
}
