use std::convert::Infallible;

use arcbus::{Message, Query, QueryBus, from_async_fn};

struct Times(u32);

impl Message for Times {
    const NAME: &'static str = "times";
    type Kind = Query;
    type Reply = u32;
    type Error = Infallible;
}

fn main() {
    let bus = QueryBus::builder()
        .register(from_async_fn(async |msg: Times, _| Ok(msg.0 * 3)))
        .build();
    assert!(bus.is_ok());
}
