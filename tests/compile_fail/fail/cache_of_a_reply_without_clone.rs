use std::convert::Infallible;
use std::time::Duration;

use arcbus::middleware::{Cache, Cacheable};
use arcbus::{Context, Message, Query, QueryBus, from_fn};

#[derive(Clone, PartialEq, Eq, Hash)]
struct GetUser;

impl Message for GetUser {
    const NAME: &'static str = "user.get";
    type Kind = Query;
    type Reply = User;
    type Error = Infallible;
}

struct User;

impl Cacheable for GetUser {
    type Key = Self;

    fn key(&self) -> &Self {
        self
    }
}

fn main() {
    let bus = QueryBus::builder()
        .layer(Cache::ttl(Duration::from_secs(60)))
        .register(from_fn(|_: GetUser, _: &Context<'_>| Ok(User)))
        .build();
    assert!(bus.is_ok());
}
