use std::io;

use arcbus::{Command, CommandBus, Context, Error, Handler, Message, Query, QueryBus};

struct GetUser;

impl Message for GetUser {
    const NAME: &'static str = "user.get";
    type Kind = Query;
    type Reply = u32;
    type Error = io::Error;
}

struct PlaceOrder;

impl Message for PlaceOrder {
    const NAME: &'static str = "order.place";
    type Kind = Command;
    type Reply = ();
    type Error = OrderError;
}

#[derive(Debug)]
enum OrderError {
    User(Error<io::Error>),
}

impl std::fmt::Display for OrderError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self::User(error) = self;
        write!(f, "no such user: {error}")
    }
}

impl From<Error<io::Error>> for OrderError {
    fn from(error: Error<io::Error>) -> Self {
        Self::User(error)
    }
}

struct Orders {
    users: QueryBus,
}

impl Handler<PlaceOrder> for Orders {
    async fn handle(&self, _: PlaceOrder, cx: &Context<'_>) -> Result<(), OrderError> {
        let _user = self.users.execute_in(cx, GetUser).await?;
        Ok(())
    }
}

fn main() {
    let users = QueryBus::builder().build().unwrap();
    let orders = CommandBus::builder().register(Orders { users }).build();
    let error = orders.unwrap().execute_blocking(PlaceOrder).unwrap_err();
    assert!(matches!(
        error,
        Error::Handler(OrderError::User(Error::HandlerNotFound { .. }))
    ));
}
