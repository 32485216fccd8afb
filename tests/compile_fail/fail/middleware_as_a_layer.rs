use arcbus::{
    Command, Context, Handler, InvalidSetting, Layer, Message, Middleware, Next, Outcome, Query,
    QueryBus, RouteInfo,
};

struct GetUser;

impl Message for GetUser {
    const NAME: &'static str = "user.get";
    type Kind = Query;
    type Reply = u32;
    type Error = String;
}

struct CreateUser;

impl Message for CreateUser {
    const NAME: &'static str = "user.create";
    type Kind = Command;
    type Reply = u32;
    type Error = String;
}

struct Users;

impl<M: Message<Reply = u32>> Handler<M> for Users {
    async fn handle(&self, _msg: M, _cx: &Context<'_>) -> Result<u32, M::Error> {
        Ok(7)
    }
}

/// A middleware that fits queries only, because of the bound on the kind.
struct Cache;

impl<M: Message<Kind = Query>> Middleware<M> for Cache {
    async fn handle(&self, msg: M, cx: &Context<'_>, next: &impl Next<M>) -> Outcome<M> {
        next.run(msg, cx).await
    }
}

struct CacheLayer;

impl<M: Message<Kind = Query>> Layer<M> for CacheLayer {
    type Middleware = Cache;

    fn middleware(
        &self,
        _route: &RouteInfo,
        _previous: Option<&Cache>,
    ) -> Result<Cache, InvalidSetting> {
        Ok(Cache)
    }
}

fn main() {
    let _ = CreateUser;
    let bus = QueryBus::builder()
        .layer(Cache)
        .scope(|s| s.layer(CacheLayer).register::<GetUser, _>(Users))
        .build();
    assert!(bus.is_ok());
}
