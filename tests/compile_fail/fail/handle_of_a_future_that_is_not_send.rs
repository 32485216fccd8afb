use std::convert::Infallible;

use arcbus::{Query, QueryBus};

#[derive(Query)]
#[message(reply = u64)]
struct Count;

async fn count(_: Count) -> Result<u64, Infallible> {
    let seven = std::rc::Rc::new(7);
    std::future::ready(()).await;
    Ok(*seven)
}

fn main() {
    let _ = QueryBus::builder().handle(count).build();
}
