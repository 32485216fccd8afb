use std::convert::Infallible;

use arcbus::middleware::rate_limit::{KeyedRateLimit, Rate};
use arcbus::{Context, Message, Query, QueryBus, from_fn};

struct GetUser;

impl Message for GetUser {
    const NAME: &'static str = "user.get";
    type Kind = Query;
    type Reply = u32;
    type Error = Infallible;
}

struct Tenant(u32);

fn main() {
    let bus = QueryBus::builder()
        .layer(KeyedRateLimit::by(
            Rate::per_second(9),
            |_: &GetUser, _: &_| Tenant(7),
        ))
        .register(from_fn(|_: GetUser, _: &Context<'_>| Ok(7)))
        .build();
    assert!(bus.is_ok());
}
