use arcbus::{Query, QueryBus};

#[derive(Query)]
#[message(reply = u64)]
struct Count;

fn main() {
    let names = vec!["Ada".to_owned()];
    let _ = QueryBus::builder()
        .handle(async move |_: Count| Ok(names.len() as u64))
        .build();
}
