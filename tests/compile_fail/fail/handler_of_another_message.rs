use arcbus::{Command, CommandBus, Context, Handler, Message};

struct Create;

impl Message for Create {
    const NAME: &'static str = "create";
    type Kind = Command;
    type Reply = ();
    type Error = String;
}

struct Delete;

impl Message for Delete {
    const NAME: &'static str = "delete";
    type Kind = Command;
    type Reply = ();
    type Error = String;
}

struct Creates;

impl Handler<Create> for Creates {
    async fn handle(&self, _msg: Create, _cx: &Context<'_>) -> Result<(), String> {
        Ok(())
    }
}

fn main() {
    let bus = CommandBus::builder().register::<Delete, _>(Creates).build();
    assert!(bus.is_ok());
}
