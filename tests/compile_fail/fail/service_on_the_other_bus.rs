use std::convert::Infallible;
use std::sync::Arc;

use arcbus::{Command, QueryBus, handlers};

#[derive(Command)]
#[message(reply = u64)]
struct CreateUser;

struct Users;

#[handlers(Command)]
impl Users {
    #[handler]
    async fn create(&self, _: CreateUser) -> Result<u64, Infallible> {
        Ok(7)
    }
}

fn main() {
    let _ = QueryBus::builder().service(Arc::new(Users)).build();
}
