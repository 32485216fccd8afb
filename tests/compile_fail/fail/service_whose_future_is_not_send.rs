use std::convert::Infallible;

use arcbus::{Command, handlers};

#[derive(Command)]
#[message(reply = u64)]
struct CreateUser;

struct Users;

#[handlers(Command)]
impl Users {
    #[handler]
    async fn create(&self, _: CreateUser) -> Result<u64, Infallible> {
        let seven = std::rc::Rc::new(7);
        std::future::ready(()).await;
        Ok(*seven)
    }
}

fn main() {}
