use arcbus::{Context, Query, QueryBus};

#[derive(Query)]
#[message(reply = u64)]
struct Count;

async fn count(_: Count, _: &Context<'_>) -> u64 {
    7
}

fn main() {
    let _ = QueryBus::builder().handle(count).build();
}
