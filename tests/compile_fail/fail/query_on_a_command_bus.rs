use arcbus::{CommandBus, Message, Query};

struct GetUser;

impl Message for GetUser {
    const NAME: &'static str = "user.get";
    type Kind = Query;
    type Reply = String;
    type Error = String;
}

fn main() {
    let bus = CommandBus::builder().build().unwrap();
    assert!(bus.execute_blocking(GetUser).is_err());
}
