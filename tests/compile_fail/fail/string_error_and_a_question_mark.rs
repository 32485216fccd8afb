use std::error::Error;

use arcbus::{Context, Message, Query, QueryBus, from_fn};

struct GetUser;

impl Message for GetUser {
    const NAME: &'static str = "user.get";
    type Kind = Query;
    type Reply = u32;
    type Error = String;
}

fn main() -> Result<(), Box<dyn Error>> {
    let bus = QueryBus::builder()
        .register(from_fn(|_: GetUser, _: &Context<'_>| Ok(7)))
        .build()?;
    assert_eq!(bus.execute_blocking(GetUser)?, 7);
    Ok(())
}
