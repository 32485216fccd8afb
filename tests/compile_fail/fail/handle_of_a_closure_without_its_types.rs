use arcbus::{Query, QueryBus};

#[derive(Query)]
#[message(reply = u64)]
struct Count;

fn main() {
    let _ = QueryBus::builder().handle_sync(|_: Count, _| Ok(7)).build();
}
