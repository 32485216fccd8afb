use std::convert::Infallible;
use std::sync::Arc;

use arcbus::{Command, CommandBus, Context, Query, QueryBus, handlers};

#[derive(Command)]
#[message(reply = u64)]
struct CreateUser;

#[derive(Command)]
struct Reset;

#[derive(Query)]
#[message(reply = u64)]
struct CountUsers;

struct Users;

#[handlers(Command)]
impl Users {
    #[handler]
    async fn create(&self, _: CreateUser, _: &Context<'_>) -> Result<u64, Infallible> {
        Ok(7)
    }

    #[handler]
    fn reset(&self, _: Reset) -> Result<(), Infallible> {
        Ok(())
    }
}

#[handlers(Query)]
impl Users {
    #[handler]
    async fn count(&self, _: CountUsers) -> Result<u64, Infallible> {
        Ok(7)
    }
}

fn main() {
    let users = Arc::new(Users);
    let commands = CommandBus::builder()
        .service(Arc::clone(&users))
        .build()
        .unwrap();
    let queries = QueryBus::builder().service(users).build().unwrap();
    assert_eq!(commands.execute_blocking(CreateUser), Ok(7));
    assert_eq!(queries.execute_blocking(CountUsers), Ok(7));
}
