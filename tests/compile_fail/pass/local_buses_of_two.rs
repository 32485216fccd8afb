use arcbus::{Message, Query, QueryBus};

struct GetUser;

impl Message for GetUser {
    const NAME: &'static str = "user.get";
    type Kind = Query;
    type Reply = String;
    type Error = String;
}

fn main() {
    let bus = QueryBus::builder().build().unwrap();
    let (mut one, mut other) = (bus.local(), bus.local());
    let first = one.execute(GetUser);
    let second = other.execute(GetUser);
    drop((first, second));
}
