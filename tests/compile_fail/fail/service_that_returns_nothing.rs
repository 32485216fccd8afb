use arcbus::{Command, handlers};

#[derive(Command)]
#[message(reply = u64)]
struct CreateUser;

struct Users;

#[handlers(Command)]
impl Users {
    #[handler]
    async fn create(&self, _: CreateUser) {}
}

fn main() {}
