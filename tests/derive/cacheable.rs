//! `#[derive(Cacheable)]`: selects the fields of a query that are the key in a cache.

use std::time::Duration;

use arcbus::middleware::cache::Outdated;
use arcbus::middleware::{Cache, Cacheable, Invalidates};
use arcbus::{Command, CommandBus, Context, Query, QueryBus, from_fn};

const LONG: Duration = Duration::from_secs(600);

fn cached<M, const N: usize>(
    cache: &Cache,
    reply: fn(M) -> u64,
    msgs: [M; N],
) -> (QueryBus, [u64; N])
where
    M: Cacheable<Reply = u64, Error = std::convert::Infallible>,
    M: arcbus::Message<Kind = Query>,
{
    let bus = QueryBus::builder()
        .layer(cache.clone())
        .register(from_fn(move |msg: M, _: &Context<'_>| Ok(reply(msg))))
        .build()
        .expect("one handler");
    let replies = msgs.map(|msg| bus.execute_blocking(msg).expect("a reply"));
    (bus, replies)
}

#[derive(Query, Cacheable, Clone, PartialEq, Eq, Hash)]
#[message(reply = u64)]
enum Count {
    All,
    Of(String),
}

#[test]
fn without_a_mark_the_whole_query_is_the_key() {
    let cache = Cache::ttl(LONG);
    let of = |name: &str| Count::Of(name.to_owned());
    let (_bus, _) = cached(
        &cache,
        |msg| u64::from(msg == Count::All),
        [Count::All, of("a"), of("b"), of("a"), Count::All],
    );
    let counts = cache.handle::<Count>();
    assert_eq!((counts.stats().loads, counts.stats().hits), (3, 2));
}

#[derive(Query, Cacheable)]
#[message(reply = u64)]
struct GetUser(#[key] String, bool);

#[test]
fn a_field_is_the_key() {
    let cache = Cache::ttl(LONG);
    let get = |name: &str, flag| GetUser(name.to_owned(), flag);
    let msgs = [get("ada", true), get("ada", false), get("bob", true)];
    let (bus, replies) = cached(&cache, |msg| u64::from(msg.1), msgs);
    assert_eq!(replies, [1, 1, 1]);
    let users = cache.handle::<GetUser>();
    assert_eq!((users.stats().loads, users.stats().hits), (2, 1));
    users.invalidate(&"ada".to_owned());
    assert_eq!(bus.execute_blocking(get("ada", false)), Ok(0));
}

#[derive(Query, Cacheable)]
#[message(reply = u64)]
struct GetPrice {
    #[key]
    article: u64,
    trace_me: bool,
    #[key]
    currency: String,
}

#[derive(Command)]
struct SetPrice {
    article: u64,
}

impl Invalidates<GetPrice> for SetPrice {
    fn invalidates(&self) -> Outdated<GetPrice> {
        let article = self.article;
        Outdated::<GetPrice>::If(Box::new(move |key| *key.article() == article))
    }
}

fn price(article: u64, currency: &str, trace_me: bool) -> GetPrice {
    let currency = currency.to_owned();
    GetPrice {
        article,
        trace_me,
        currency,
    }
}

#[test]
fn several_fields_are_the_key() {
    let cache = Cache::ttl(LONG);
    let msgs = [
        price(1, "EUR", false),
        price(1, "EUR", true),
        price(1, "USD", true),
        price(2, "EUR", true),
    ];
    let (bus, replies) = cached(
        &cache,
        |msg| msg.article * 10 + u64::from(msg.trace_me),
        msgs,
    );
    assert_eq!(replies, [10, 10, 11, 21]);
    let prices = cache.handle::<GetPrice>();
    assert_eq!((prices.stats().loads, prices.stats().hits), (3, 1));

    prices.invalidate(&GetPriceKey {
        article: 1,
        currency: "EUR".to_owned(),
    });
    assert_eq!(bus.execute_blocking(price(1, "EUR", true)), Ok(11));
    assert_eq!(prices.stats().loads, 4);
    prices.invalidate_if(|key| key.currency() == "USD");
    assert_eq!(bus.execute_blocking(price(1, "EUR", false)), Ok(11));
    assert_eq!(bus.execute_blocking(price(1, "USD", false)), Ok(10));

    let commands = CommandBus::builder()
        .layer(cache.invalidator::<GetPrice>())
        .register(from_fn(|_: SetPrice, _: &Context<'_>| Ok(())))
        .build()
        .expect("one handler");
    assert_eq!(commands.execute_blocking(SetPrice { article: 1 }), Ok(()));
    assert_eq!(bus.execute_blocking(price(1, "EUR", false)), Ok(10));
    assert_eq!(bus.execute_blocking(price(2, "EUR", false)), Ok(21));
}

#[derive(Query, Cacheable, Clone, PartialEq, Eq, Hash)]
#[message(reply = T)]
struct Echo<T>(T);

#[derive(Query, Cacheable)]
#[message(reply = u64)]
struct Size<T> {
    #[key]
    of: T,
}

#[test]
fn generics_are_carried() {
    fn key<M: Cacheable>(msg: &M) -> &M::Key {
        msg.key()
    }
    assert!(key(&Echo(7)) == &Echo(7));
    assert_eq!(key(&Size { of: "a" }), &"a");
}
