use std::convert::Infallible;

use arcbus::middleware::Fallback;
use arcbus::{Context, Message, Query, QueryBus, from_fn};

struct GetUser;

impl Message for GetUser {
    const NAME: &'static str = "user.get";
    type Kind = Query;
    type Reply = u32;
    type Error = Infallible;
}

fn main() {
    let bus = QueryBus::builder()
        .layer(Fallback::handler(from_fn(|_: GetUser, _: &Context<'_>| {
            Ok(0)
        })))
        .register(from_fn(|_: GetUser, _: &Context<'_>| Ok(7)))
        .build();
    assert!(bus.is_ok());
}
