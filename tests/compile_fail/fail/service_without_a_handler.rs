use std::convert::Infallible;

use arcbus::{Command, handlers};

#[derive(Command)]
#[message(reply = u64)]
struct CreateUser;

struct Users;

#[handlers(Command)]
impl Users {
    async fn create(&self, _: CreateUser) -> Result<u64, Infallible> {
        Ok(7)
    }
}

fn main() {}
