use std::convert::Infallible;

use arcbus::{Context, Message, Query, QueryBus, from_detached_fn};

struct Times(u32);

impl Message for Times {
    const NAME: &'static str = "times";
    type Kind = Query;
    type Reply = u32;
    type Error = Infallible;
}

fn main() {
    let factor = 3;
    let bus = QueryBus::builder()
        .register(from_detached_fn(move |msg: Times, cx: Context<'static>| async move { Ok(msg.0 * factor * cx.attempt()) }))
        .build();
    assert!(bus.is_ok());
}
