use arcbus::{Context, Message, Query, QueryBus, from_async_fn};

struct Times(u64);

impl Message for Times {
    const NAME: &'static str = "times";
    type Kind = Query;
    type Reply = u64;
    type Error = String;
}

fn main() {
    let factor = 3;
    let handler = from_async_fn(async move |msg: Times, _: &Context<'_>| Ok(msg.0 * factor));
    let bus = QueryBus::builder().register(handler).build().unwrap();
    assert_eq!(bus.execute_blocking(Times(2)), Ok(6));
}
