use std::time::Duration;

use arcbus::middleware::cache::Outdated;
use arcbus::middleware::{Cache, Cacheable, Invalidates};
use arcbus::{Command, CommandBus, Context, Message, Query, from_fn};

#[derive(Clone, PartialEq, Eq, Hash)]
struct GetUser;

impl Message for GetUser {
    const NAME: &'static str = "user.get";
    type Kind = Query;
    type Reply = u32;
    type Error = String;
}

impl Cacheable for GetUser {
    type Key = Self;
    fn key(&self) -> &Self {
        self
    }
}

struct CreateUser;

impl Message for CreateUser {
    const NAME: &'static str = "user.create";
    type Kind = Command;
    type Reply = u32;
    type Error = String;
}

impl Invalidates<GetUser> for CreateUser {
    fn invalidates(&self) -> Outdated<GetUser> {
        Outdated::All
    }
}

fn main() {
    let cache = Cache::ttl(Duration::from_secs(60));
    let bus = CommandBus::builder()
        .layer(cache.invalidator::<GetUser>())
        .register(from_fn(|_: CreateUser, _: &Context<'_>| Ok(7)))
        .build();
    assert!(bus.is_ok());
}
