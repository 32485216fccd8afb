use arcbus::middleware::Retry;
use arcbus::{Context, Message, Query, QueryBus, from_fn};
use std::time::Duration;

#[derive(Clone)]
struct GetUser;

impl Message for GetUser {
    const NAME: &'static str = "user.get";
    type Kind = Query;
    type Reply = u32;
    type Error = String;
}

fn main() {
    let bus = QueryBus::builder()
        .layer(Retry::fixed(3, Duration::ZERO))
        .register(from_fn(|_: GetUser, _: &Context<'_>| Ok(7)))
        .build();
    assert!(bus.is_ok());
}
