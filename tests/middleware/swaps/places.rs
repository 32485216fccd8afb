//! The places in which a layer is recognized: scopes, stacks, batches, conditions, and layers of a
//! user.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arcbus::middleware::{Bulkhead, RateLimit, Validation, When};
use arcbus::{
    Context, Error, Gate, Gated, InvalidSetting, Layer, LayerExt, Layers, Message, Outcome,
    QueryBus, RouteInfo,
};

use super::rig::{HOUR, Rig, Task, empty, rig};

fn once() -> RateLimit {
    RateLimit::new(1, HOUR)
}

/// Returns whether the only token stays used after a swap.
fn is_kept(rig: &Rig<impl arcbus::Stack<Task>>) -> bool {
    assert_eq!(rig.passed(1), 1);
    rig.swap();
    rig.passed(1) == 0
}

#[test]
fn an_optional_conditional_or_shared_layer_is_kept() {
    assert!(is_kept(&rig(Some(once()))));
    assert!(is_kept(&rig(once().shared())));
    assert!(is_kept(&rig(When::new(
        |_: &Task, _: &Context<'_>| true,
        once()
    ))));
    assert!(is_kept(&rig(Some(When::new(
        |_: &Task, _: &Context<'_>| true,
        Some(once())
    )))));
}

#[test]
fn a_layer_is_kept_wherever_it_stands_in_a_stack() {
    let stack = Layers::new().layer(Validation::new()).layer(once());
    let inner = Layers::new()
        .layer(Bulkhead::new(9))
        .layer(Validation::new());
    let builder = || QueryBus::builder().layer(Bulkhead::new(9));
    assert!(is_kept(&Rig::of(builder().layers(&stack).layers(&inner))));
    assert!(is_kept(&Rig::of(builder().layers(&inner).layers(&stack))));
    assert!(is_kept(&Rig::of(
        builder().layer(None::<RateLimit>).layer(once())
    )));
}

#[test]
fn two_clones_in_one_stack_are_distinguished_by_their_places() {
    let bulkhead = Bulkhead::new(1);
    let handles = bulkhead.handles();
    let rig = Rig::of(QueryBus::builder().layer(bulkhead.clone()).layer(bulkhead));
    let [outer, inner] = [0, 1].map(|place| handles.all()[place].1.clone());
    rig.swap();
    assert_eq!(handles.all().len(), 2);
    assert!(Arc::ptr_eq(&handles.all()[0].1, &outer) && Arc::ptr_eq(&handles.all()[1].1, &inner));
}

#[test]
fn a_handler_of_a_builder_is_replaced_through_a_registrar_with_more_layers() {
    let limit = once();
    let (bus, registrar, clock) = empty();
    let registrar = registrar.layer(limit);
    let rig = Rig::around(bus, registrar.clone(), clock);
    assert_eq!(rig.passed(1), 1);
    let more = registrar.layer(Bulkhead::new(1));
    let _ = more.replace(rig.version(true)).expect("registered");
    assert_eq!(rig.passed(1), 0);
    rig.swap();
    assert_eq!(rig.passed(1), 0);
}

#[test]
fn a_registrar_with_a_clone_finds_the_layer_of_a_scope() {
    let (limit, clock) = (once(), arcbus::FakeClock::new());
    let rig = Rig::of(QueryBus::builder());
    let version = rig.version(true);
    let (bus, registrar) = QueryBus::builder()
        .clock(clock)
        .scope(|scope| scope.layer(limit.clone()).register(version))
        .open()
        .expect("one handler");
    assert_eq!(bus.execute_blocking(Task(1)), Ok(2));
    let replaced = registrar.layer(limit).replace(rig.version(true));
    let _ = replaced.expect("registered");
    assert!(bus.execute_blocking(Task(1)).unwrap_err().is_rate_limited());
}

#[test]
fn a_batch_keeps_the_state_of_replaced_routes_even_of_its_own() {
    let rig = rig(once());
    assert_eq!(rig.passed(1), 1);
    let update = rig.registrar.update(|batch| {
        batch.replace(rig.version(true)).replace(rig.version(true));
    });
    let _ = update.expect("registered");
    assert_eq!(rig.passed(1), 0);
}

/// A layer that counts how many instances in a row had a predecessor.
#[derive(Clone, Default)]
struct Generations(Arc<AtomicUsize>);

struct Generation(usize);

impl<M: Message> Layer<M> for Generations {
    type Middleware = Gated<Generation>;

    fn middleware(
        &self,
        _route: &RouteInfo,
        previous: Option<&Gated<Generation>>,
    ) -> Result<Gated<Generation>, InvalidSetting> {
        let generation = previous.map_or(0, |previous| previous.0.0 + 1);
        self.0.store(generation, Ordering::Relaxed);
        Ok(Gated(Generation(generation)))
    }
}

impl<M: Message> Gate<M> for Generation {
    type Pass<'a> = ();

    fn enter(&self, _msg: &M, _cx: &Context<'_>) -> Result<(), Error<M::Error>> {
        Ok(())
    }

    fn leave(&self, (): (), _outcome: &Outcome<M>, _cx: &Context<'_>) {}
}

#[test]
fn a_layer_of_a_user_receives_its_previous_instance() {
    let generations = Generations::default();
    let rig = rig(generations.clone());
    let count = || generations.0.load(Ordering::Relaxed);
    assert_eq!(count(), 0);
    rig.swap();
    rig.swap();
    assert_eq!(count(), 2);
    let update = rig.registrar.update(|batch| {
        batch.replace(rig.version(true)).replace(rig.version(true));
    });
    let _ = update.expect("registered");
    assert_eq!(count(), 4);
    let update = rig.registrar.update(|batch| {
        batch.deregister::<Task>().register(rig.version(true));
        batch.replace(rig.version(true));
    });
    let _ = update.expect("registered");
    assert_eq!(count(), 1, "the first is new, and the second follows it");
}
