use std::convert::Infallible;

use arcbus::{Context, Dispatch, Message, Query, QueryBus, from_fn};

struct GetUser;

impl Message for GetUser {
    const NAME: &'static str = "user.get";
    type Kind = Query;
    type Reply = u32;
    type Error = Infallible;
}

struct Users<B> {
    bus: B,
}

impl<B> Users<B>
where
    for<'a> &'a B: Dispatch<GetUser>,
{
    fn get(&self) -> u32 {
        (&self.bus).execute_blocking(GetUser).unwrap_or(0)
    }
}

fn main() {
    let bus = QueryBus::builder()
        .register(from_fn(|_: GetUser, _: &Context<'_>| Ok(7)))
        .build()
        .unwrap();
    assert_eq!(Users { bus }.get(), 7);
}
