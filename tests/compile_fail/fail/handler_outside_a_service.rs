use std::convert::Infallible;

use arcbus::{Command, handler};

#[derive(Command)]
#[message(reply = u64)]
struct CreateUser;

struct Users;

impl Users {
    #[handler]
    async fn create(&self, _: CreateUser) -> Result<u64, Infallible> {
        Ok(7)
    }
}

fn main() {}
