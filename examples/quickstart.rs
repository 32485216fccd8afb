//! The first screen: a message, its handler, a bus.

use arcbus::{Context, Handler, Message, Query, QueryBus};

struct GetUser {
    id: u64,
}

impl Message for GetUser {
    const NAME: &'static str = "user.get";
    type Kind = Query;
    type Reply = String;
    type Error = String;
}

struct Users;

impl Handler<GetUser> for Users {
    async fn handle(&self, msg: GetUser, _cx: &Context<'_>) -> Result<String, String> {
        if msg.id == 7 {
            Ok("Ada".into())
        } else {
            Err(format!("no user {}", msg.id))
        }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let queries = QueryBus::builder().register(Users).build()?;

    // On a plain thread; `queries.execute(..).await` does the same on any runtime.
    println!("{:?}", queries.execute_blocking(GetUser { id: 7 }));
    println!("{:?}", queries.execute_blocking(GetUser { id: 8 }));
    Ok(())
}
