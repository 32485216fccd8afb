//! Auto traits: the public types and futures that cross threads, move while pinned, and survive a
//! caught panic.

use std::cell::Cell;
use std::fmt::Debug;
use std::future::{Ready, ready};
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::rc::Rc;

use arcbus::bounds::WithContext;
use arcbus::middleware::adaptive_limit::{
    AdaptiveLimitGate, AdaptiveLimitPolicy, AdaptiveUsage, InFlight,
};
use arcbus::middleware::bulkhead::{
    BulkheadGate, BulkheadPolicy, BulkheadQueue, BulkheadUsage, Permit, Queue, Turn,
};
use arcbus::middleware::retry::{Backoff, Course, Jitter, RetryPolicy, RetryRecovery};
use arcbus::middleware::timeout::{TimeoutLimit, TimeoutPolicy};
use arcbus::middleware::{AdaptiveLimit, Budget, Bulkhead, Priority, Retry};
use arcbus::middleware::{Handles, Timeout};
use arcbus::{
    AsyncFnHandler, AsyncWithHandler, Batch, Bus, BusBuilder, CancelToken, Cancelled, Class, Clock,
    Command, Context, DetachedFnHandler, Dispatch, Drained, Error, Explanation, Facts, FakeClock,
    FnHandler, Gated, GuardGate, Handler, InspectGate, LayerExt, LayerInfo, Layers, LocalBus,
    Message, MessageType, More, NoLayers, Phase, Query, Registrar, RegistrationError, Rejection,
    RejectionKind, Retired, Role, Route, RouteInfo, Shared, TraceParent, TraceParentError,
    Violation, Violations, Warning, Wrapped, static_bus,
};
use static_assertions::{assert_impl_all, assert_not_impl_any};

struct Ask;

impl Message for Ask {
    const NAME: &'static str = "ask";
    type Kind = Query;
    /// A reply that is sent once, from the handler to the caller, and never shared.
    type Reply = Cell<u32>;
    type Error = String;
}

#[derive(Clone, Debug)]
struct Answers;

impl Handler<Ask> for Answers {
    async fn handle(&self, _msg: Ask, _cx: &Context<'_>) -> Result<Cell<u32>, String> {
        Ok(Cell::new(1))
    }
}

static_bus! {
    struct Asks: Query {
        ask: Ask => Answers,
    }
}

/// A function type, which has every auto trait, for use as a layer's type.
type Function = fn(&Ask, &Context<'_>);
type Deep = More<More<NoLayers, Wrapped<Gated<GuardGate<Function>>>>, Shared<Function>>;

/// A stack of layers that fits [`Ask`].
type Wide =
    More<NoLayers, Wrapped<Gated<GuardGate<fn(&Ask, &Context<'_>) -> Result<(), Rejection>>>>>;

/// Asserts for each line that the listed types have the listed traits.
macro_rules! all {
    ($($types:tt: $traits:tt;)*) => { $(all!(@ $types $traits);)* };
    (@ [$($type:ty),* $(,)?] $traits:tt) => { $(all!(@one $type, $traits);)* };
    (@one $type:ty, [$($trait:path),*]) => { assert_impl_all!($type: $($trait),*); };
}

macro_rules! none {
    ($($types:tt: $traits:tt;)*) => { $(none!(@ $types $traits);)* };
    (@ [$($type:ty),* $(,)?] $traits:tt) => { $(none!(@one $type, $traits);)* };
    (@one $type:ty, [$($trait:path),*]) => { assert_not_impl_any!($type: $($trait),*); };
}

// The handles can be moved to every thread, by value and by reference.
all! {
    [Bus<Command>, Bus<Query>, LocalBus<Command>, LocalBus<Query>, Route<Ask>,
     Registrar<Query, NoLayers>, Registrar<Query, Deep>]:
        [Send, Sync, Unpin, Debug];
    [Asks, Asks<Wide>]: [Send, Sync, Unpin];
    [Bus<Query>, LocalBus<Query>, Route<Ask>, Registrar<Query, Deep>]: [Clone];
    [BusBuilder<Query>, BusBuilder<Command, Deep>, Batch<Query, Deep>, Retired, Drained]:
        [Send, Sync, Unpin, Debug];
}

// Contexts, tokens and clocks, which travel with a dispatch.
all! {
    [Context<'static>, CancelToken, Clock, FakeClock]: [Send, Sync, Unpin, Clone, Debug];
    [Cancelled<'static>]: [Send, Sync, Unpin, Debug, Future<Output = ()>];
}

// Layers, their middlewares, and the handles that show their state.
all! {
    [Timeout, Timeout<Function>, TimeoutPolicy, TimeoutLimit, Handles<TimeoutPolicy>]:
        [Send, Sync, Unpin, Debug];
}

// Limits of concurrency, their middlewares, and the permits that a dispatch holds.
all! {
    [Bulkhead, Bulkhead<Queue>, BulkheadGate, BulkheadQueue, BulkheadPolicy,
     Permit<'static>, Turn<'static>, AdaptiveLimit, AdaptiveLimitGate, AdaptiveLimitPolicy,
     InFlight<'static>]:
        [Send, Sync, Unpin, Debug];
    [BulkheadUsage, AdaptiveUsage, Priority]: [Send, Sync, Unpin, Copy, Eq, Debug];
}

// Layers that repeat a message, and their settings.
all! {
    [Retry, Retry<Function>, RetryPolicy, RetryRecovery, Handles<RetryPolicy>, Course<'static>,
     Budget]:
        [Send, Sync, Unpin, Debug];
    [Retry, Retry<Function>, Budget]: [Clone];
    [Backoff, Jitter]: [Send, Sync, Unpin, Copy, PartialEq, Debug];
}

// Values also cross a caught panic, and fit into any error type.
all! {
    [Error<String>, Phase, Rejection, RejectionKind, Violation, Violations, TraceParent,
     TraceParentError, RegistrationError, MessageType, Class, RouteInfo, Explanation, Facts, LayerInfo,
     Role, Warning]:
        [Send, Sync, Unpin, UnwindSafe, RefUnwindSafe, Clone, Debug];
    [Error<std::fmt::Error>, Rejection, Violations, TraceParentError, RegistrationError]:
        [std::error::Error];
    [Phase, RejectionKind, TraceParent, TraceParentError, MessageType, Class]: [Copy, Eq];
}

// Layers and handlers can be sent if their contents can be sent.
all! {
    [NoLayers, Layers, Layers<Deep>, Deep, Gated<Answers>, GuardGate<Function>,
     InspectGate<Function, Function>, Wrapped<Answers>, Shared<Answers>,
     FnHandler<Function, WithContext>, AsyncFnHandler<Function, WithContext>,
     AsyncWithHandler<u32, Function, WithContext>,
     DetachedFnHandler<Function>]:
        [Send, Sync, Unpin, Debug];
}

// Contents that cannot be shared or sent make the library's types so, too.
none! {
    [Error<Rc<str>>, Gated<Rc<str>>, GuardGate<Rc<str>>, InspectGate<Rc<str>, ()>, Wrapped<Rc<str>>,
     Shared<Rc<str>>, FnHandler<Rc<str>, WithContext>,
     AsyncFnHandler<Rc<str>, WithContext>, AsyncWithHandler<Rc<str>, (), WithContext>,
     DetachedFnHandler<Rc<str>>, More<NoLayers, Rc<str>>, Layers<More<NoLayers, Rc<str>>>,
     BusBuilder<Query, More<NoLayers, Rc<str>>>]:
        [Send, Sync];
    [Error<Cell<u32>>, Gated<Cell<u32>>, GuardGate<Cell<u32>>]: [Sync];
}

// A handle cannot be copied, a retirement cannot be waited for twice, and a kind has no values.
none! {
    [Bus<Query>, Context<'static>, CancelToken]: [Copy];
    [Retired, Drained, Batch<Query, NoLayers>, BusBuilder<Query>]: [Clone];
    [Permit<'static>, Turn<'static>, InFlight<'static>]: [Clone];
    [Command, Query]: [Default, Clone];
    [Error<String>]: [std::error::Error];
}

/// A shared layer guards its middlewares by a lock, and so can be shared itself.
#[test]
fn a_shared_layer_can_be_shared() {
    fn shared<T: Send + Sync>(_: &T) {}
    shared(&Answers.shared());
}

fn is_send<T: Send>(value: T) -> T {
    value
}

/// The future can be sent, although its reply cannot be shared by reference.
fn is_send_and_unpin<T: Future + Send + Unpin>(future: T) -> T {
    is_send(future)
}

fn is_static<T: 'static>(value: T) -> T {
    value
}

#[test]
fn futures_of_the_handles_are_send_and_unpin() {
    let bus = Bus::<Query>::builder()
        .register(Answers)
        .build()
        .expect("one name");
    let (mut local, cx) = (bus.local(), Context::new());
    let mut route = bus.route::<Ask>().expect("registered");
    drop(is_send_and_unpin(bus.execute(Ask)));
    drop(is_send_and_unpin(bus.execute_with(Ask, cx.clone())));
    drop(is_send_and_unpin(bus.execute_in(&cx, Ask)));
    drop(is_send_and_unpin(local.execute(Ask)));
    drop(is_send_and_unpin(local.execute_with(Ask, cx.clone())));
    drop(is_send_and_unpin(route.execute(Ask)));
    drop(is_send_and_unpin(route.execute_with(Ask, cx)));
}

#[test]
fn futures_of_static_buses_traits_and_batches_are_send() {
    let (bus, cx) = (Asks::new(Answers), Context::new());
    drop(is_send(bus.execute(Ask)));
    drop(is_send(bus.execute_with(Ask, cx.clone())));
    drop(is_send(generic(&bus, &cx)));
    let bus = Bus::<Query>::builder().build().expect("empty");
    drop(is_send(bus.execute_batch([Ask, Ask])));
    drop(is_send(generic(&bus, &cx)));
}

/// Returns the future of a dispatch through any handle.
async fn generic(mut bus: impl Dispatch<Ask> + Send, cx: &Context<'_>) {
    let _ = bus.execute(Ask).await;
    let _ = bus.execute_in(cx, Ask).await;
}

#[test]
fn a_future_that_owns_its_bus_can_be_spawned() {
    let bus = Bus::<Query>::builder()
        .register(Answers)
        .build()
        .expect("one name");
    let task = is_static(is_send(async move {
        bus.execute(Ask).await.map(Cell::into_inner)
    }));
    let replied = std::thread::spawn(move || block(task)).join();
    assert_eq!(replied.expect("no panic"), Ok(1));
}

fn block<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime")
        .block_on(future)
}

/// A handler may return a `Ready` as its future, which the adapters keep as that type.
#[test]
fn handlers_may_return_any_send_future() {
    struct Plain;
    impl Handler<Ask> for Plain {
        #[allow(refining_impl_trait, reason = "to name the future")]
        fn handle(&self, _msg: Ask, _cx: &Context<'_>) -> Ready<Result<Cell<u32>, String>> {
            ready(Ok(Cell::new(2)))
        }
    }
    let bus = Asks2::new(Plain);
    assert_eq!(bus.execute_blocking(Ask), Ok(Cell::new(2)));

    static_bus! {
        struct Asks2: Query {
            ask: Ask => Plain,
        }
    }
}
