use std::convert::Infallible;

use arcbus::{Context, Message, Query, QueryBus, from_async_fn_with};

struct Times(u32);

impl Message for Times {
    const NAME: &'static str = "times";
    type Kind = Query;
    type Reply = u32;
    type Error = Infallible;
}

fn main() {
    let state = (3, 4);
    let bus = QueryBus::builder()
        .register(from_async_fn_with(
            state,
            async |state: &(u32, u32), msg: Times, _: &Context<'_>| Ok(msg.0 * state.0 + state.1),
        ))
        .build();
    assert!(bus.is_ok());
}
