use std::convert::Infallible;

use arcbus::{Context, Query, QueryBus};

#[derive(Query)]
#[message(reply = u64)]
struct Count;

async fn count(_: &Context<'_>, _: Count) -> Result<u64, Infallible> {
    Ok(7)
}

fn main() {
    let _ = QueryBus::builder().handle(count).build();
}
