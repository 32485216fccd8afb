use std::convert::Infallible;

use arcbus::{Command, Context, handlers};

#[derive(Command)]
#[message(reply = u64)]
struct CreateUser;

struct Users;

#[handlers(Command)]
impl Users {
    #[handler]
    async fn create(&self, _: &Context<'_>, _: CreateUser) -> Result<u64, Infallible> {
        Ok(7)
    }
}

fn main() {}
