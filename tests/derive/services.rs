//! `#[handlers]`, `#[handler]` and `.service(..)`: a type whose methods handle messages.

use std::convert::Infallible;
use std::future::ready;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arcbus::middleware::Timeout;
use arcbus::{
    Command, CommandBus, Context, Handler, Query, QueryBus, RegistrationError, from_fn, guard,
    handlers,
};

#[derive(Command)]
#[message(reply = u64)]
struct Add(u64);

#[derive(Command)]
#[message(name = "reset")]
struct Reset;

#[derive(Query)]
#[message(reply = u64)]
struct Total;

#[derive(Default)]
struct Counter {
    total: AtomicU64,
}

#[handlers(Command)]
impl Counter {
    /// Adds the number to the sum after a wait, to show that methods may be async.
    #[handler]
    async fn add(&self, Add(number): Add) -> Result<u64, Infallible> {
        let number = ready(number).await;
        Ok(self.add_now(number))
    }

    fn add_now(&self, number: u64) -> u64 {
        self.total.fetch_add(number, Ordering::Relaxed) + number
    }

    #[arcbus::handler]
    fn reset(&self, _: Reset, cx: &Context<'_>) -> Result<(), Infallible> {
        if cx.remaining().is_some() {
            self.total.store(0, Ordering::Relaxed);
        }
        Ok(())
    }

    #[cfg(any())]
    #[handler]
    async fn gone(&self, _: Total) -> Result<u64, Infallible> {
        Ok(0)
    }
}

#[handlers(Query)]
impl Counter {
    #[handler]
    async fn total(&self, _: Total, _cx: &Context<'_>) -> Result<u64, Infallible> {
        Ok(self.total.load(Ordering::Relaxed))
    }
}

#[test]
fn a_service_handles_the_message_of_each_method() {
    let counter = Arc::new(Counter::default());
    let commands = CommandBus::builder()
        .service(Arc::clone(&counter))
        .build()
        .expect("two");
    let queries = QueryBus::builder().service(counter).build().expect("one");
    assert_eq!(commands.execute_blocking(Add(3)), Ok(3));
    assert_eq!(commands.execute_blocking(Add(4)), Ok(7));
    assert_eq!(commands.execute_blocking(Reset), Ok(()));
    assert_eq!(queries.execute_blocking(Total), Ok(7));
    let cx = Context::new().timeout(Duration::from_secs(60));
    assert_eq!(commands.execute_blocking_with(Reset, cx), Ok(()));
    assert_eq!(queries.execute_blocking(Total), Ok(0));
    let names: Vec<_> = commands
        .routes()
        .iter()
        .map(|route| route.message().name())
        .collect();
    assert_eq!(names, ["add", "reset"]);
}

#[test]
fn a_service_has_the_layers_above_it() {
    let bus = CommandBus::builder()
        .layer(Timeout::new(Duration::from_secs(60)))
        .scope(|s| s.service(Arc::new(Counter::default())))
        .build()
        .expect("two handlers");
    assert!(
        bus.routes()
            .iter()
            .all(|route| route.layers() == ["Timeout"])
    );
}

#[test]
fn a_registrar_registers_a_whole_service_or_nothing() {
    let (bus, registrar) = CommandBus::builder().open().expect("no handlers");
    registrar
        .register(from_fn(|_: Reset| Ok(())))
        .expect("it is new");
    let counter = Arc::new(Counter::default());
    let refused = registrar.service(Arc::clone(&counter));
    assert!(matches!(refused, Err(RegistrationError::Duplicate { .. })));
    assert_eq!(bus.routes().len(), 1);
    let _ = registrar.deregister::<Reset>().expect("it is there");
    registrar
        .service(Arc::clone(&counter))
        .expect("all are new");
    assert_eq!(bus.execute_blocking(Add(1)), Ok(1));
    let _ = registrar
        .update(|batch| {
            batch
                .deregister::<Add>()
                .deregister::<Reset>()
                .service(counter);
        })
        .expect("all are gone before");
    assert_eq!(bus.execute_blocking(Add(1)), Ok(2));
}

/// A generic service with a generic message, under another name of the library.
struct Store<T>(T);

#[derive(Query)]
#[message(reply = T)]
struct Get<T>(std::marker::PhantomData<T>);

use arcbus as bus;

#[handlers(Query, crate = "bus")]
impl<T> Store<T>
where
    T: Clone + Send + Sync + 'static,
{
    #[handler]
    async fn get(&self, _: Get<T>) -> Result<T, Infallible> {
        Ok(self.0.clone())
    }
}

#[test]
fn a_generic_service_is_registered() {
    let layers = guard(|_: &Get<String>, _: &Context<'_>| Ok(()));
    let bus = QueryBus::builder()
        .wrap(layers)
        .service(Arc::new(Store("a".to_owned())))
        .build()
        .expect("one handler");
    assert_eq!(
        bus.execute_blocking(Get(std::marker::PhantomData::<String>)),
        Ok("a".to_owned())
    );
}

#[test]
fn a_service_is_a_handler_of_each_message() {
    fn is_handler<H: Handler<Add> + Handler<Reset> + Handler<Total>>() {}
    is_handler::<Counter>();
}
