use arcbus::{Command, CommandBus, Message};

struct Rename;

impl Message for Rename {
    const NAME: &'static str = "rename";
    type Kind = Command;
    type Reply = ();
    type Error = String;
}

fn main() {
    let bus = CommandBus::builder().build().unwrap();
    assert!(bus.execute_blocking(Rename).is_err());
}
