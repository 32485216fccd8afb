use std::time::Duration;

use arcbus::middleware::Hedge;
use arcbus::{Query, QueryBus, Context, Message, from_fn};

#[derive(Clone)]
struct GetUser;

impl Message for GetUser {
    const NAME: &'static str = "user";
    type Kind = Query;
    type Reply = u32;
    type Error = String;
}

fn main() {
    let handler = from_fn(|_: GetUser, _: &Context<'_>| Ok(7));
    let bus = QueryBus::builder()
        .scope(|s| s.layer(Hedge::after(Duration::from_millis(5))).register(handler))
        .build();
    assert!(bus.is_ok());
}
