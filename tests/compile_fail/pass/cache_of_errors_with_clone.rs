use std::time::Duration;

use arcbus::middleware::{Cache, Cacheable};
use arcbus::{Context, Message, Query, QueryBus, from_fn};

#[derive(Clone, PartialEq, Eq, Hash)]
struct GetUser;

impl Message for GetUser {
    const NAME: &'static str = "user.get";
    type Kind = Query;
    type Reply = u32;
    type Error = NotFound;
}

#[derive(Clone, Debug)]
struct NotFound;

impl std::fmt::Display for NotFound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("not found")
    }
}

impl Cacheable for GetUser {
    type Key = Self;

    fn key(&self) -> &Self {
        self
    }
}

fn main() {
    let bus = QueryBus::builder()
        .layer(Cache::ttl(Duration::from_secs(60)).cache_errors(Duration::from_secs(60)))
        .register(from_fn(|_: GetUser, _: &Context<'_>| Err(NotFound)))
        .build();
    assert!(bus.is_ok());
}
