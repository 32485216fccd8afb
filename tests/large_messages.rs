//! The stack that a large message takes. In a debug build, each function that receives the message
//! by value takes its size.

#[path = "support/stack.rs"]
mod stack;

use std::pin::pin;
use std::task::{Context as Task, Poll, Waker};
use std::time::Duration;

use arcbus::metrics::Metrics;
use arcbus::middleware::{
    Bulkhead, CircuitBreaker, ProductionConfig, ProductionLayers, RateLimit, Retry, Timeout,
    Validation,
};
use arcbus::{
    Context, Dispatch, Handler, Layers, Message, Query, QueryBus, Stack, from_async_fn, from_fn,
    static_bus,
};
use stack::stack_of;

const SIZE: usize = 16 << 10;
const MINUTE: Duration = Duration::from_secs(60);

/// Largest stack of a dispatch, with caller and handler, in sizes of its message.
const AT_MOST: f64 = 30.0;
/// Largest additional stack of a layer, in sizes of the message.
const A_LAYER: f64 = 6.0;

#[derive(Clone)]
struct Large([u8; SIZE]);

impl Message for Large {
    const NAME: &'static str = "large";
    type Kind = Query;
    type Reply = u8;
    type Error = String;
}

fn large() -> Large {
    Large([7; SIZE])
}

struct Looks;

impl Handler<Large> for Looks {
    async fn handle(&self, msg: Large, _cx: &Context<'_>) -> Result<u8, String> {
        Ok(msg.0[SIZE / 2])
    }
}

static_bus! {
    struct Fixed: Query {
        large: Large => Looks,
    }
}

fn blocking(mut bus: impl Dispatch<Large>) {
    assert_eq!(bus.execute_blocking(large()), Ok(7));
}

fn blocking_with(mut bus: impl Dispatch<Large>) {
    let cx = Context::new().timeout(MINUTE);
    assert_eq!(bus.execute_blocking_with(large(), cx), Ok(7));
}

fn ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Task::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the handler is ready at once"),
    }
}

fn awaited(mut bus: impl Dispatch<Large>) {
    assert_eq!(ready(bus.execute(large())), Ok(7));
}

fn awaited_with(mut bus: impl Dispatch<Large>) {
    let cx = Context::new().timeout(MINUTE);
    assert_eq!(ready(bus.execute_with(large(), cx)), Ok(7));
}

/// Returns the stack that `work` takes, in sizes of the message.
fn sizes(name: &str, work: impl FnOnce() + Send + 'static) -> f64 {
    let sizes = stack_of(work) as f64 / SIZE as f64;
    println!("{name}: {sizes:.1} sizes");
    sizes
}

fn assert_small(name: &str, work: impl FnOnce() + Send + 'static) {
    let taken = sizes(name, work);
    assert!(taken < AT_MOST, "{name}: {taken:.1} sizes of its message");
}

/// Returns the stack that a dispatch takes in the blocking and in the async lane.
fn lanes<S: Stack<Large>>(name: &str, layers: &Layers<S>) -> [f64; 2] {
    let bus = QueryBus::builder().layers(layers).register(Looks).build();
    let bus = bus.expect("one handler");
    let other = bus.clone();
    [
        sizes(&format!("{name}, blocking"), move || blocking(&bus)),
        sizes(&format!("{name}, awaited"), move || awaited(&other)),
    ]
}

fn assert_layers_are_small<S: Stack<Large>>(name: &str, count: f64, layers: &Layers<S>) {
    let none = lanes("no layers", &Layers::new());
    let with = lanes(name, layers);
    for (none, with) in none.into_iter().zip(with) {
        let each = (with - none) / count;
        assert!(each < A_LAYER, "{name}: {each:.1} sizes a layer");
    }
}

#[test]
fn no_handle_takes_much_stack() {
    let bus = QueryBus::builder().register(Looks).build();
    let bus = bus.expect("one handler");
    let some = || bus.clone();
    let (one, two, three, four) = (some(), some(), some(), some());
    assert_small("Bus, blocking", move || blocking(&one));
    assert_small("Bus, blocking in a context", move || blocking_with(&two));
    assert_small("Bus, awaited", move || awaited(&three));
    assert_small("Bus, awaited in a context", move || awaited_with(&four));
    let (one, two) = (some().local(), some().local());
    assert_small("LocalBus, blocking", move || blocking(one));
    assert_small("LocalBus, awaited", move || awaited(two));
    let route = || some().route::<Large>().expect("registered");
    let (one, two) = (route(), route());
    assert_small("Route, blocking", move || blocking(one));
    assert_small("Route, awaited", move || awaited(two));
    assert_small("static_bus, blocking", || blocking(&Fixed::new(Looks)));
    assert_small("static_bus, awaited", || awaited(&Fixed::new(Looks)));
    let inside = some();
    assert_small("inside an async block", move || {
        let mut dispatch = Box::pin(async move { inside.execute(large()).await });
        assert_eq!(ready(dispatch.as_mut()), Ok(7));
    });
}

#[test]
fn no_function_as_a_handler_takes_much_stack() {
    let bus = QueryBus::builder()
        .register(from_fn(|msg: Large, _cx: &Context<'_>| Ok(msg.0[1])))
        .build()
        .expect("one handler");
    let other = bus.clone();
    assert_small("from_fn, blocking", move || blocking(&bus));
    assert_small("from_fn, awaited", move || awaited(&other));
    let bus = QueryBus::builder()
        .register(from_async_fn(async |msg: Large, _cx: &Context<'_>| {
            Ok(msg.0[1])
        }))
        .build()
        .expect("one handler");
    let other = bus.clone();
    assert_small("from_async_fn, blocking", move || blocking(&bus));
    assert_small("from_async_fn, awaited", move || awaited(&other));
}

#[test]
fn no_layer_of_the_preset_takes_much_stack() {
    let none = Layers::new();
    assert_layers_are_small("metrics", 1.0, &none.layer(Metrics::new().layer()));
    assert_layers_are_small("validation", 1.0, &none.layer(Validation::new()));
    assert_layers_are_small("rate limit", 1.0, &none.layer(RateLimit::per_second(100)));
    assert_layers_are_small("bulkhead", 1.0, &none.layer(Bulkhead::new(10)));
    let breaker = CircuitBreaker::consecutive(10);
    assert_layers_are_small("breaker", 1.0, &none.layer(breaker));
    assert_layers_are_small("timeout", 1.0, &none.layer(Timeout::new(MINUTE)));
    #[cfg(feature = "tracing")]
    assert_layers_are_small("trace", 1.0, &none.layer(arcbus::middleware::Trace::new()));
}

#[test]
fn the_presets_take_little_stack_for_each_layer() {
    let config = || {
        ProductionConfig::new()
            .metrics(Metrics::new().layer())
            .rate_limit(RateLimit::per_second(100))
            .bulkhead(Bulkhead::new(10))
    };
    // With the feature `tracing`, the preset has one more layer, the trace.
    let more = f64::from(u8::from(cfg!(feature = "tracing")));
    assert_layers_are_small("preset", 6.0 + more, &ProductionLayers::queries(config()));
    let retry = Retry::exponential(3, Duration::from_millis(1));
    let retrying = ProductionLayers::retrying(config(), Timeout::new(MINUTE), retry);
    assert_layers_are_small("preset that retries", 8.0 + more, &retrying);
}
