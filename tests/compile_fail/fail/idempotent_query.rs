use std::convert::Infallible;

use arcbus::{Idempotent, Message, Query};

struct GetUser;

impl Message for GetUser {
    const NAME: &'static str = "user.get";
    type Kind = Query;
    type Reply = u32;
    type Error = Infallible;
}

impl Idempotent for GetUser {}

fn main() {}
