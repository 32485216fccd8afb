use std::convert::Infallible;

use arcbus::{Command, Idempotent, Message};

struct SetLimit;

impl Message for SetLimit {
    const NAME: &'static str = "limit.set";
    type Kind = Command;
    type Reply = ();
    type Error = Infallible;
}

impl Idempotent for SetLimit {}

fn main() {}
