use std::sync::Arc;

use arcbus::{Command, CommandBus, Context, Handler, Message};

struct Rename;

impl Message for Rename {
    const NAME: &'static str = "rename";
    type Kind = Command;
    type Reply = ();
    type Error = String;
}

async fn store(_name: &str) {}

struct Renames;

impl Handler<Rename> for Renames {
    async fn handle(&self, _msg: Rename, _cx: &Context<'_>) -> Result<(), String> {
        let name = Arc::new(String::from("Ada"));
        store(&name).await;
        drop(name);
        Ok(())
    }
}

fn main() {
    assert!(CommandBus::builder().register(Renames).build().is_ok());
}
