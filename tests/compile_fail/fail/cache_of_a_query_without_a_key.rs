use std::time::Duration;

use arcbus::middleware::Cache;
use arcbus::{Context, Message, Query, QueryBus, from_fn};

struct GetUser;

impl Message for GetUser {
    const NAME: &'static str = "user.get";
    type Kind = Query;
    type Reply = u32;
    type Error = String;
}

fn main() {
    let bus = QueryBus::builder()
        .layer(Cache::ttl(Duration::from_secs(60)))
        .register(from_fn(|_: GetUser, _: &Context<'_>| Ok(7)))
        .build();
    assert!(bus.is_ok());
}
