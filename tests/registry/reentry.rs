//! The registrar is called from everywhere user code runs, and either works or gives a clear error.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use arcbus::{
    Batch, Context, Error, Gate, Gated, Handler, InvalidSetting, Layer, LayerExt, Message,
    NoLayers, Outcome, Query, QueryBus, RegistrationError, Retired, RouteInfo, from_fn,
};

use crate::support::{Ask, Changer, Do, Drops, Notes, Noting, answer, ask, block, open, watched};

/// A handler that replies 1 and runs a closure when it is dropped.
struct AtEnd(Option<Box<dyn FnOnce() + Send + Sync>>);

impl AtEnd {
    fn new(work: impl FnOnce() + Send + Sync + 'static) -> Self {
        Self(Some(Box::new(work)))
    }
}

impl<const N: usize> Handler<Ask<N>> for AtEnd {
    async fn handle(&self, _msg: Ask<N>, _cx: &Context<'_>) -> Result<u32, String> {
        Ok(1)
    }
}

impl Drop for AtEnd {
    fn drop(&mut self) {
        let work = self.0.take().expect("dropped once");
        work();
    }
}

/// Makes every kind of change, in a handler of `Ask<1>` that deregisters itself.
fn change_everything(bus: &QueryBus, registrar: &Changer) -> Result<(), RegistrationError> {
    let drops = Drops::default();
    registrar.register::<Ask<2>, _>(drops.handler(2))?;
    drop(registrar.replace::<Ask<2>, _>(drops.handler(22))?);
    let own = registrar.update(|batch| {
        batch
            .deregister::<Ask<1>>()
            .register::<Ask<3>, _>(drops.handler(3));
    })?;
    registrar.reclaim();
    assert!(!own.wait_timeout(Duration::ZERO), "it is running");
    assert_eq!(bus.routes().len(), 2);
    assert_eq!(ask::<2>(bus), Some(22));
    Ok(())
}

/// Checks that `dispatch` can send `Ask<1>` to a handler that makes every kind of change.
fn from_a_handler(dispatch: impl FnOnce(&QueryBus) -> Option<u32> + Send + 'static) {
    watched(|| {
        let (bus, registrar) = open();
        let (inner, again) = (registrar.clone(), bus.clone());
        registrar.must_register::<Ask<1>, _>(from_fn(move |_: Ask<1>, _cx: &Context<'_>| {
            change_everything(&again, &inner).map_err(|error| error.to_string())?;
            Ok(1)
        }));
        assert_eq!(dispatch(&bus), Some(1));
        assert_eq!((ask::<1>(&bus), ask::<3>(&bus)), (None, Some(3)));
        // The handler holds its own bus, so both are freed only when the handler is reclaimed.
        registrar.reclaim();
    });
}

#[test]
fn a_handler_may_change_its_own_registry_on_any_handle() {
    from_a_handler(ask::<1>);
    from_a_handler(|bus| answer(block(bus.execute(Ask::<1>(Do::Answer)))));
    from_a_handler(|bus| answer(bus.local().execute_blocking(Ask::<1>(Do::Answer))));
    from_a_handler(|bus| answer(block(bus.local().execute(Ask::<1>(Do::Answer)))));
    from_a_handler(|bus| {
        let mut route = bus.route::<Ask<1>>().expect("registered");
        answer(route.execute_blocking(Ask::<1>(Do::Answer)))
    });
    from_a_handler(|bus| {
        let mut route = bus.route::<Ask<1>>().expect("registered");
        answer(block(route.execute(Ask::<1>(Do::Answer))))
    });
}

/// Returns a handler whose drop deregisters `Ask<2>` and waits for that handler's drop, which
/// registers `Ask<3>`.
fn chain(registrar: &Changer) -> AtEnd {
    let (first, second) = (registrar.clone(), registrar.clone());
    registrar.must_register::<Ask<2>, _>(AtEnd::new(move || {
        second.must_register::<Ask<3>, _>(Drops::default().handler(3));
    }));
    AtEnd::new(move || first.deregister::<Ask<2>>().expect("registered").wait())
}

/// Checks that `end` has the given chain of handlers dropped to its end.
fn from_a_drop(end: impl FnOnce(&QueryBus, &Changer, AtEnd) + Send + 'static) {
    watched(move || {
        let (bus, registrar) = open();
        let chain = chain(&registrar);
        end(&bus, &registrar, chain);
        assert_eq!((ask::<2>(&bus), ask::<3>(&bus)), (None, Some(3)));
    });
}

#[test]
fn a_retired_handler_may_change_the_registry_when_dropped() {
    from_a_drop(|_, registrar, chain| {
        registrar.must_register::<Ask<1>, _>(chain);
        drop(registrar.deregister::<Ask<1>>().expect("registered"));
    });
    from_a_drop(|_, registrar, chain| {
        registrar.must_register::<Ask<1>, _>(chain);
        let next = Drops::default().handler(1);
        drop(registrar.replace::<Ask<1>, _>(next).expect("registered"));
    });
    from_a_drop(|bus, registrar, chain| {
        registrar.must_register::<Ask<1>, _>(chain);
        let local = bus.local();
        let retired = registrar.deregister::<Ask<1>>().expect("registered");
        drop(local);
        retired.wait();
    });
    from_a_drop(|_, registrar, chain| {
        let made = registrar.update(|batch| {
            batch.register::<Ask<1>, _>(chain).deregister::<Ask<1>>();
        });
        assert!(made.expect("in order").is_drained());
    });
}

#[test]
fn a_refused_handler_may_change_the_registry_when_dropped() {
    from_a_drop(|_, registrar, chain| {
        assert!(registrar.register::<Ask<0>, _>(chain).is_err());
    });
    from_a_drop(|_, registrar, chain| {
        let update = AssertUnwindSafe(|| {
            registrar.update(|batch| {
                batch.register::<Ask<1>, _>(chain);
                panic!("on purpose");
            })
        });
        assert!(catch_unwind(update).is_err());
    });
}

fn refused_in_a_batch(add: fn(&mut Batch<Query, NoLayers>, AtEnd)) {
    from_a_drop(move |_, registrar, chain| {
        let refused = registrar.update(|batch| {
            add(batch, chain);
            batch.deregister::<Ask<3>>();
        });
        let error = refused.expect_err("refused before the chain registers it");
        assert!(matches!(error, RegistrationError::NotRegistered { .. }));
    });
}

#[test]
fn a_handler_refused_in_a_batch_may_wait_for_another_when_dropped() {
    // Repeats the mistake, because the rejected table drops its routes in any order.
    for _ in 0..8 {
        refused_in_a_batch(|batch, chain| {
            batch.register::<Ask<1>, _>(chain);
        });
    }
    refused_in_a_batch(|batch, chain| {
        batch
            .register::<Ask<1>, _>(chain)
            .deregister::<Ask<1>>()
            .deregister::<Ask<2>>();
    });
}

#[test]
fn a_handler_may_change_another_bus_when_its_own_is_dropped() {
    watched(|| {
        let (bus, registrar) = open();
        let chain = chain(&registrar);
        let (own, own_registrar) = open();
        own_registrar.must_register::<Ask<1>, _>(chain);
        drop(own_registrar);
        assert_eq!(ask::<2>(&bus), Some(1));
        drop(own);
        assert_eq!((ask::<2>(&bus), ask::<3>(&bus)), (None, Some(3)));
    });
}

#[test]
fn a_bus_is_dropped_with_a_handler_that_owned_it() {
    watched(|| {
        let drops = Drops::default();
        let (inner, inner_registrar) = open();
        inner_registrar.must_register::<Ask<1>, _>(drops.handler(1));
        let (outer, registrar) = open();
        registrar.must_register::<Ask<1>, _>(AtEnd::new(move || {
            drop(inner_registrar.deregister::<Ask<1>>());
            drop(inner);
        }));
        drop(outer);
        assert!(drops.numbers().is_empty());
        drop(registrar);
        assert_eq!(drops.numbers(), [1]);
    });
}

#[test]
fn a_retired_handler_may_own_the_last_handles_of_its_bus() {
    watched(|| {
        let drops = Drops::default();
        let (bus, registrar) = open();
        registrar.must_register::<Ask<2>, _>(drops.handler(2));
        let (owned, own_bus) = (registrar.clone(), bus.clone());
        registrar.must_register::<Ask<1>, _>(AtEnd::new(move || {
            assert_eq!(ask::<2>(&own_bus), Some(2));
            drop(own_bus);
            drop(owned.deregister::<Ask<2>>().expect("registered"));
        }));
        let local = bus.local();
        let retired = registrar.deregister::<Ask<1>>().expect("registered");
        drop((bus, registrar, local));
        assert!(drops.numbers().is_empty());
        retired.wait();
        assert_eq!(drops.numbers(), [2]);
    });
}

#[test]
fn an_update_follows_the_changes_made_in_its_closure() {
    watched(|| {
        let drops = Drops::default();
        let (bus, registrar) = open();
        let outer = registrar.update(|batch| {
            batch.replace::<Ask<1>, _>(drops.handler(11));
            registrar.must_register::<Ask<1>, _>(drops.handler(1));
            let inner = registrar.update(|inner| {
                inner.register::<Ask<2>, _>(drops.handler(2));
                batch.deregister::<Ask<2>>();
            });
            drop(inner.expect("new"));
            assert_eq!((ask::<1>(&bus), ask::<2>(&bus)), (Some(1), Some(2)));
        });
        assert!(outer.expect("registered meanwhile").is_drained());
        assert_eq!((ask::<1>(&bus), ask::<2>(&bus)), (Some(11), None));
        assert_eq!(drops.numbers(), [1, 2]);
    });
}

#[test]
fn an_update_is_refused_if_its_closure_registers_the_message() {
    watched(|| {
        let drops = Drops::default();
        let (bus, registrar) = open();
        let outer = registrar.update(|batch| {
            batch.register::<Ask<1>, _>(drops.handler(11));
            registrar.must_register::<Ask<1>, _>(drops.handler(1));
        });
        let error = outer.expect_err("registered meanwhile");
        assert!(matches!(error, RegistrationError::Duplicate { .. }));
        assert_eq!(ask::<1>(&bus), Some(1));
        assert_eq!(drops.numbers(), [11]);
    });
}

/// A layer that registers `Ask<2>` when first asked for its name, and `Ask<3>` in a batch when
/// first asked for a middleware.
struct Registering {
    registrar: Changer,
    drops: Drops,
    inner: Noting,
}

impl<M: Message> Layer<M> for Registering {
    type Middleware = Gated<Noting>;

    fn middleware(
        &self,
        route: &RouteInfo,
        _previous: Option<&Gated<Noting>>,
    ) -> Result<Gated<Noting>, InvalidSetting> {
        let handler = self.drops.handler(3);
        drop(self.registrar.update(|batch| {
            batch.register::<Ask<3>, _>(handler);
        }));
        Layer::<M>::middleware(&self.inner, route, None)
    }

    fn name(&self) -> &'static str {
        let _ = self.registrar.register::<Ask<2>, _>(self.drops.handler(2));
        "registering"
    }
}

#[test]
fn a_layer_may_register_while_making_a_middleware() {
    for batch in [false, true] {
        watched(move || {
            let (bus, registrar) = open();
            let layered = registrar.layer(Registering {
                registrar: registrar.clone(),
                drops: Drops::default(),
                inner: Notes::default().layer("inner"),
            });
            let handler = Drops::default().handler(1);
            if batch {
                let made = layered.update(|batch| {
                    batch.register::<Ask<1>, _>(handler);
                });
                drop(made.expect("new"));
            } else {
                layered.must_register::<Ask<1>, _>(handler);
            }
            let names: Vec<_> = bus.routes().iter().map(RouteInfo::name).collect();
            assert_eq!(names, ["a", "b", "c"]);
            assert_eq!(bus.routes()[0].layers(), ["registering"]);
            assert_eq!(ask::<1>(&bus), Some(1));
        });
    }
}

#[test]
fn a_drop_that_panics_reaches_the_writer_and_the_registry_goes_on() {
    let (bus, registrar) = open();
    let drops = Drops::default();
    registrar.must_register::<Ask<1>, _>(AtEnd::new(|| panic!("on purpose")));
    registrar.must_register::<Ask<2>, _>(drops.handler(2));
    let update = AssertUnwindSafe(|| {
        registrar.update(|batch| {
            batch.deregister::<Ask<1>>().deregister::<Ask<2>>();
        })
    });
    assert!(catch_unwind(update).is_err());
    assert_eq!((ask::<1>(&bus), ask::<2>(&bus)), (None, None));
    assert_eq!(drops.numbers(), [2]);
    registrar.must_register::<Ask<1>, _>(drops.handler(1));
    let retired = registrar.deregister::<Ask<1>>().expect("registered");
    assert!(retired.is_drained());
}

#[test]
fn a_drop_may_wait_for_a_handler_that_went_idle_with_it() {
    watched(|| {
        let (bus, registrar) = open();
        let other = Arc::new(OnceLock::<Retired>::new());
        let awaited = Arc::clone(&other);
        registrar.must_register::<Ask<1>, _>(AtEnd::new(move || {
            awaited.get().expect("taken out before").wait();
        }));
        registrar.must_register::<Ask<2>, _>(Drops::default().handler(2));
        let local = bus.local();
        let waits = registrar.deregister::<Ask<1>>().expect("registered");
        let retired = registrar.deregister::<Ask<2>>().expect("registered");
        other.set(retired).expect("set once");
        drop(local);
        assert!(waits.is_drained());
    });
}

type Work = Box<dyn FnOnce() + Send>;

/// A closure that runs once.
#[derive(Clone, Default)]
struct Slot(Arc<Mutex<Option<Work>>>);

impl Slot {
    fn put(&self, work: impl FnOnce() + Send + 'static) {
        *self.0.lock().expect("no panic") = Some(Box::new(work));
    }

    fn run(&self) {
        let work = self.0.lock().expect("no panic").take();
        work.into_iter().for_each(|work| work());
    }
}

/// A layer that runs a closure when asked for a middleware, which runs another one when dropped.
struct Busy {
    when_asked: Slot,
    when_dropped: Slot,
}

struct Pass {
    when_dropped: Slot,
}

impl<M: Message> Layer<M> for Busy {
    type Middleware = Gated<Pass>;

    fn middleware(
        &self,
        _route: &RouteInfo,
        _previous: Option<&Gated<Pass>>,
    ) -> Result<Gated<Pass>, InvalidSetting> {
        self.when_asked.run();
        Ok(Gated(Pass {
            when_dropped: self.when_dropped.clone(),
        }))
    }
}

impl<M: Message> Gate<M> for Pass {
    type Pass<'a> = ();

    fn enter(&self, _msg: &M, _cx: &Context<'_>) -> Result<(), Error<M::Error>> {
        Ok(())
    }

    fn leave(&self, (): (), _outcome: &Outcome<M>, _cx: &Context<'_>) {}
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.when_dropped.run();
    }
}

#[test]
fn a_surplus_shared_middleware_may_register_when_dropped() {
    watched(|| {
        let drops = Drops::default();
        let (when_asked, when_dropped) = (Slot::default(), Slot::default());
        let (bus, registrar) = open();
        let layer = Busy {
            when_asked: when_asked.clone(),
            when_dropped: when_dropped.clone(),
        };
        let layered = registrar.layer(layer.shared());
        let (first, last) = (layered.clone(), layered.clone());
        let (two, three) = (drops.handler(2), drops.handler(3));
        when_asked.put(move || first.must_register::<Ask<2>, _>(two));
        when_dropped.put(move || last.must_register::<Ask<3>, _>(three));
        layered.must_register::<Ask<1>, _>(drops.handler(1));
        assert_eq!(ask::<1>(&bus), Some(1));
        assert_eq!(ask::<2>(&bus), Some(2));
        assert_eq!(ask::<3>(&bus), Some(3));
    });
}
