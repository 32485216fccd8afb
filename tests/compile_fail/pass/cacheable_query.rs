use std::convert::Infallible;

use arcbus::middleware::Cacheable;
use arcbus::{Message, Query};

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

fn main() {}
