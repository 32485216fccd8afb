#![recursion_limit = "256"]

use std::convert::Infallible;

use arcbus::{Context, Gate, Gated, Layers, Message, Outcome, Query, QueryBus, from_fn};

struct GetUser;

impl Message for GetUser {
    const NAME: &'static str = "user.get";
    type Kind = Query;
    type Reply = u32;
    type Error = Infallible;
}

struct Open;

impl<M: Message> Gate<M> for Open {
    type Pass<'a> = ();

    fn enter(&self, _: &M, _: &Context<'_>) -> Result<(), arcbus::Error<M::Error>> {
        Ok(())
    }

    fn leave(&self, (): (), _: &Outcome<M>, _: &Context<'_>) {}
}

macro_rules! six {
    ($layers:expr) => {
        $layers
            .wrap(Gated(Open))
            .wrap(Gated(Open))
            .wrap(Gated(Open))
            .wrap(Gated(Open))
            .wrap(Gated(Open))
            .wrap(Gated(Open))
    };
}

fn main() {
    let many = six!(six!(six!(six!(Layers::new()))));
    let bus = QueryBus::builder()
        .layers(&many)
        .register(from_fn(|_: GetUser, _: &Context<'_>| Ok(7)))
        .build();
    assert!(bus.is_ok());
}
