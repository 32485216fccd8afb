use std::error::Error;
use std::fmt;

use arcbus::{Context, Message, Query, QueryBus, from_fn};

struct GetUser;

impl Message for GetUser {
    const NAME: &'static str = "user.get";
    type Kind = Query;
    type Reply = u32;
    type Error = NotFound;
}

#[derive(Debug)]
enum NotFound {
    User,
}

impl fmt::Display for NotFound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::User = self;
        f.write_str("no such user")
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let bus = QueryBus::builder()
        .register(from_fn(|_: GetUser, _: &Context<'_>| Err(NotFound::User)))
        .build()?;
    let _: u32 = bus.execute_blocking(GetUser)?;
    Ok(())
}
