use arcbus::{Command, CommandBus, Context, Error, Gate, Gated, Message, Outcome, from_fn};

struct Rename;

impl Message for Rename {
    const NAME: &'static str = "rename";
    type Kind = Command;
    type Reply = ();
    type Error = String;
}

struct Open;

impl<M: Message> Gate<M> for Open {
    type Pass<'a> = ();

    fn enter(&self, _msg: &M, _cx: &Context<'_>) -> Result<(), Error<M::Error>> {
        Ok(())
    }

    fn leave(&self, (): (), _outcome: &Outcome<M>, _cx: &Context<'_>) {}
}

fn main() {
    let bus = CommandBus::builder()
        .wrap(Gated(Open))
        .register(from_fn(|_: Rename, _cx: &Context<'_>| Ok(())))
        .build();
    assert!(bus.is_ok());
}
