use arcbus::{Context, Message, Query, QueryBus, from_fn};

struct Double(u64);

impl Message for Double {
    const NAME: &'static str = "double";
    type Kind = Query;
    type Reply = u64;
    type Error = String;
}

fn double(msg: Double, _cx: &Context<'_>) -> Result<u64, String> {
    Ok(msg.0 * 2)
}

fn main() {
    let bus = QueryBus::builder()
        .register(from_fn(double))
        .build()
        .unwrap();
    assert_eq!(bus.execute_blocking(Double(2)), Ok(4));
}
