use std::convert::Infallible;
use std::time::Duration;

use arcbus::middleware::Hedge;
use arcbus::{Context, Message, Query, QueryBus, from_fn};

#[derive(Clone)]
struct GetUser;

impl Message for GetUser {
    const NAME: &'static str = "user.get";
    type Kind = Query;
    type Reply = u32;
    type Error = Infallible;
}

fn main() {
    let bus = QueryBus::builder()
        .layer(Hedge::after(Duration::from_secs(60)))
        .register(from_fn(|_: GetUser, _: &Context<'_>| Ok(7)))
        .build();
    assert!(bus.is_ok());
}
