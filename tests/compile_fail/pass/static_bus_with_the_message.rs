use arcbus::{Context, Handler, Message, Query, static_bus};

struct GetUser;

impl Message for GetUser {
    const NAME: &'static str = "user.get";
    type Kind = Query;
    type Reply = u32;
    type Error = String;
}

struct GetOrder;

impl Message for GetOrder {
    const NAME: &'static str = "order.get";
    type Kind = Query;
    type Reply = u32;
    type Error = String;
}

struct GetStock;

impl Message for GetStock {
    const NAME: &'static str = "stock.get";
    type Kind = Query;
    type Reply = u32;
    type Error = String;
}

struct Store;

impl Handler<GetUser> for Store {
    async fn handle(&self, _msg: GetUser, _cx: &Context<'_>) -> Result<u32, String> {
        Ok(7)
    }
}

impl Handler<GetOrder> for Store {
    async fn handle(&self, _msg: GetOrder, _cx: &Context<'_>) -> Result<u32, String> {
        Ok(8)
    }
}

impl Handler<GetStock> for Store {
    async fn handle(&self, _msg: GetStock, _cx: &Context<'_>) -> Result<u32, String> {
        Ok(9)
    }
}

static_bus! {
    struct Queries: Query {
        user: GetUser => Store,
        order: GetOrder => Store,
        stock: GetStock => Store,
    }
}

fn main() {
    let queries = Queries::new(Store, Store, Store);
    assert_eq!(queries.execute_blocking(GetUser), Ok(7));
    assert_eq!(queries.execute_blocking(GetOrder), Ok(8));
    assert_eq!(queries.execute_blocking(GetStock), Ok(9));
}
