use std::convert::Infallible;

use arcbus::middleware::{Cacheable, Coalesce};
use arcbus::{Context, Message, Query, QueryBus, from_fn};

#[derive(Clone, PartialEq, Eq, Hash)]
struct GetUser;

impl Message for GetUser {
    const NAME: &'static str = "user.get";
    type Kind = Query;
    type Reply = u32;
    type Error = Infallible;
}

impl Cacheable for GetUser {
    type Key = Self;

    fn key(&self) -> &Self {
        self
    }
}

fn main() {
    let bus = QueryBus::builder()
        .layer(Coalesce::new())
        .register(from_fn(|_: GetUser, _: &Context<'_>| Ok(7)))
        .build();
    assert!(bus.is_ok());
}
