use std::convert::Infallible;
use std::rc::Rc;

use arcbus::{Context, Query, QueryBus};

#[derive(Query)]
#[message(reply = u64)]
struct Count;

fn plain(_: Count) -> Result<u64, Infallible> {
    Ok(7)
}

async fn alone(_: Count) -> Result<u64, Infallible> {
    let seven = *Rc::new(7);
    std::future::ready(()).await;
    Ok(seven)
}

async fn in_context(_: Count, _: &Context<'_>) -> Result<u64, Infallible> {
    Ok(7)
}

async fn with_state(users: &Vec<u64>, _: Count) -> Result<u64, Infallible> {
    Ok(users[0])
}

fn main() {
    let names = vec![7];
    let buses = [
        QueryBus::builder().handle_sync(plain).build(),
        QueryBus::builder()
            .handle_sync(|_: Count, _: &Context<'_>| Ok(7))
            .build(),
        QueryBus::builder().handle(alone).build(),
        QueryBus::builder().handle(in_context).build(),
        QueryBus::builder()
            .handle_with(names.clone(), with_state)
            .build(),
        QueryBus::builder()
            .handle_with(names.clone(), async |names: &Vec<u64>, _: Count| {
                Ok(names[0])
            })
            .build(),
        QueryBus::builder()
            .handle(move |_: Count| {
                let names = names.clone();
                async move { Ok(names[0]) }
            })
            .build(),
    ];
    for bus in buses {
        assert_eq!(bus.unwrap().execute_blocking(Count), Ok(7));
    }
}
