use std::convert::Infallible;

use arcbus::{Query, QueryBus};

#[derive(Query)]
#[message(reply = u64)]
struct Count;

async fn count(users: &Vec<u64>, _: Count) -> Result<u64, Infallible> {
    Ok(users.len() as u64)
}

fn main() {
    let _ = QueryBus::builder()
        .handle_with("Ada".to_owned(), count)
        .build();
}
