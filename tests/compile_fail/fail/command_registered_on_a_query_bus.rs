use arcbus::{Command, Context, Message, QueryBus, from_fn};

struct Rename;

impl Message for Rename {
    const NAME: &'static str = "rename";
    type Kind = Command;
    type Reply = ();
    type Error = String;
}

fn main() {
    let bus = QueryBus::builder()
        .register(from_fn(|_: Rename, _cx: &Context<'_>| Ok(())))
        .build();
    assert!(bus.is_ok());
}
