//! Messages with keys, and a handler of all of them.

use std::convert::Infallible;
use std::sync::Arc;

use arcbus::middleware::cache::Cacheable;
use arcbus::{Command, Context, Handler, Message, Query};

/// The only name that the benchmarks query.
pub(crate) const NAME: &str = "the name of somebody";

#[derive(Clone, Copy)]
pub(crate) struct ById(pub u64);

/// A message with a name in old memory, like the other messages, so that only the cache is
/// measured.
#[derive(Clone, Copy)]
pub(crate) struct ByName(pub &'static str);

#[derive(Clone, Copy, Hash)]
pub(crate) struct Charge {
    pub id: u64,
    pub cents: u64,
}

impl Message for ById {
    const NAME: &'static str = "by_id";
    type Kind = Query;
    type Reply = u64;
    type Error = Infallible;
}

impl Cacheable for ById {
    type Key = u64;

    fn key(&self) -> &u64 {
        &self.0
    }
}

impl Message for ByName {
    const NAME: &'static str = "by_name";
    type Kind = Query;
    type Reply = Arc<str>;
    type Error = Infallible;
}

impl Cacheable for ByName {
    type Key = str;

    fn key(&self) -> &str {
        self.0
    }
}

impl Message for Charge {
    const NAME: &'static str = "charge";
    type Kind = Command;
    type Reply = u64;
    type Error = Infallible;
}

pub(crate) struct Store;

impl Handler<ById> for Store {
    async fn handle(&self, msg: ById, _cx: &Context<'_>) -> Result<u64, Infallible> {
        Ok(msg.0 * 2)
    }
}

impl Handler<ByName> for Store {
    async fn handle(&self, msg: ByName, _cx: &Context<'_>) -> Result<Arc<str>, Infallible> {
        Ok(msg.0.into())
    }
}

impl Handler<Charge> for Store {
    async fn handle(&self, msg: Charge, _cx: &Context<'_>) -> Result<u64, Infallible> {
        Ok(msg.cents)
    }
}
