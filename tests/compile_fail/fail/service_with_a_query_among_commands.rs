use std::convert::Infallible;

use arcbus::{Command, Query, handlers};

#[derive(Command)]
#[message(reply = u64)]
struct CreateUser;

#[derive(Query)]
#[message(reply = u64)]
struct CountUsers;

struct Users;

#[handlers(Command)]
impl Users {
    #[handler]
    async fn create(&self, _: CreateUser) -> Result<u64, Infallible> {
        Ok(7)
    }

    #[handler]
    async fn count(&self, _: CountUsers) -> Result<u64, Infallible> {
        Ok(7)
    }
}

fn main() {}
