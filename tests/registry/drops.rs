//! Retired handlers are dropped by a writer, outside the registration lock, and never by a reader.

use std::sync::{Arc, Mutex, mpsc};
use std::thread::{self, ThreadId};

use arcbus::{Context, Handler, QueryBus, RegistrationError};

use crate::support::{Ask, Changer, Do, Drops, ask, begin, open, watched};

fn one() -> (QueryBus, Changer, Drops) {
    let drops = Drops::default();
    let (bus, registrar) = open();
    registrar.must_register::<Ask<1>, _>(drops.handler(1));
    (bus, registrar, drops)
}

/// Runs `reader` on its own thread, where it takes hold of handler 1 and then calls its argument.
/// That call returns after the handler was retired. The reader is then the last to let go of the
/// handler.
fn the_writer_drops(reader: impl FnOnce(&QueryBus, &dyn Fn()) + Send) {
    let (bus, registrar, drops) = one();
    let (holds, held) = mpsc::channel();
    let (goes_on, go_on) = mpsc::channel();
    thread::scope(|scope| {
        // Moved into the scope, so that a failure also ends the reader.
        let goes_on = goes_on;
        let bus = &bus;
        let reader = scope.spawn(move || {
            reader(bus, &|| {
                holds.send(()).expect("the writer waits for it");
                go_on.recv().expect("told once");
            });
        });
        held.recv().expect("it holds the handler");
        drop(registrar.deregister::<Ask<1>>().expect("registered"));
        goes_on.send(()).expect("the reader waits for it");
        reader.join().expect("no panic");
        assert!(drops.numbers().is_empty(), "a reader frees nothing");
    });
    registrar.reclaim();
    assert_eq!(drops.threads(), [thread::current().id()]);
}

#[test]
fn the_last_reader_to_let_go_frees_nothing() {
    the_writer_drops(|bus, taken_out| {
        let future = begin::<1>(bus);
        taken_out();
        drop(future);
    });
    the_writer_drops(|bus, taken_out| {
        let local = bus.local();
        taken_out();
        drop(local);
    });
    the_writer_drops(|bus, taken_out| {
        let mut local = bus.local();
        taken_out();
        let gone = local.execute_blocking(Ask::<1>(Do::Answer)).unwrap_err();
        assert!(gone.is_handler_not_found());
    });
    the_writer_drops(|bus, taken_out| {
        let route = bus.route::<Ask<1>>().expect("registered");
        taken_out();
        drop(route);
    });
    the_writer_drops(|bus, taken_out| {
        let mut route = bus.route::<Ask<1>>().expect("registered");
        taken_out();
        let gone = route.execute_blocking(Ask(Do::Answer)).unwrap_err();
        assert!(gone.is_handler_not_found());
    });
}

/// A handler that reports its start, and ends when told.
struct Held {
    running: mpsc::Sender<()>,
    go_on: Mutex<mpsc::Receiver<()>>,
    dropped_on: Arc<Mutex<Option<ThreadId>>>,
}

impl Handler<Ask<2>> for Held {
    async fn handle(&self, _msg: Ask<2>, _cx: &Context<'_>) -> Result<u32, String> {
        self.running.send(()).expect("the test waits for it");
        let go_on = self.go_on.lock().expect("no panic");
        go_on.recv().map_err(|error| error.to_string())?;
        Ok(2)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        *self.dropped_on.lock().expect("no panic") = Some(thread::current().id());
    }
}

#[test]
fn a_handler_deregistered_while_running_is_not_dropped_by_its_dispatch() {
    let (bus, registrar) = open();
    let (running, runs) = mpsc::channel();
    let (goes_on, go_on) = mpsc::channel();
    let dropped_on = Arc::default();
    registrar.must_register::<Ask<2>, _>(Held {
        running,
        go_on: Mutex::new(go_on),
        dropped_on: Arc::clone(&dropped_on),
    });
    let retired = thread::scope(|scope| {
        let goes_on = goes_on;
        let dispatch = scope.spawn(|| ask::<2>(&bus));
        runs.recv().expect("it runs");
        let retired = registrar.deregister::<Ask<2>>().expect("registered");
        assert!(!retired.is_drained());
        goes_on.send(()).expect("it runs");
        assert_eq!(dispatch.join().expect("no panic"), Some(2));
        assert_eq!(*dropped_on.lock().expect("no panic"), None);
        retired
    });
    retired.wait();
    let dropped_on = *dropped_on.lock().expect("no panic");
    assert_eq!(dropped_on, Some(thread::current().id()));
}

/// A value whose drop makes another thread change the registry, and waits for the change. The drop
/// ends only if the registration lock is free.
struct Relay {
    registrar: Changer,
    drops: Drops,
}

impl Handler<Ask<2>> for Relay {
    async fn handle(&self, _msg: Ask<2>, _cx: &Context<'_>) -> Result<u32, String> {
        Ok(2)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        let (registrar, handler) = (self.registrar.clone(), self.drops.handler(3));
        thread::spawn(move || registrar.must_register::<Ask<3>, _>(handler))
            .join()
            .expect("no panic");
    }
}

/// Checks that the registration lock is free when `refused_or_retired` has its relay dropped.
fn free_while_dropped(
    refused_or_retired: impl FnOnce(&QueryBus, &Changer, Relay) + Send + 'static,
) {
    watched(move || {
        let (bus, registrar, drops) = one();
        let relay = Relay {
            registrar: registrar.clone(),
            drops,
        };
        refused_or_retired(&bus, &registrar, relay);
        assert_eq!(ask::<3>(&bus), Some(3));
    });
}

fn not_there<T>(result: Result<T, RegistrationError>) {
    let error = result.err().expect("refused");
    assert!(matches!(error, RegistrationError::NotRegistered { .. }));
}

#[test]
fn the_registry_is_not_locked_while_a_retired_handler_is_dropped() {
    free_while_dropped(|_, registrar, relay| {
        registrar.must_register::<Ask<2>, _>(relay);
        let retired = registrar.deregister::<Ask<2>>().expect("registered");
        assert!(retired.is_drained());
    });
    free_while_dropped(|bus, registrar, relay| {
        registrar.must_register::<Ask<2>, _>(relay);
        let local = bus.local();
        let retired = registrar.deregister::<Ask<2>>().expect("registered");
        drop(local);
        assert!(retired.is_drained());
    });
    free_while_dropped(|bus, registrar, relay| {
        registrar.must_register::<Ask<2>, _>(relay);
        let local = bus.local();
        drop(registrar.deregister::<Ask<2>>().expect("registered"));
        drop(local);
        registrar.reclaim();
    });
}

#[test]
fn the_registry_is_not_locked_while_a_refused_handler_is_dropped() {
    free_while_dropped(|_, registrar, relay| {
        not_there(registrar.replace::<Ask<2>, _>(relay));
    });
    free_while_dropped(|_, registrar, relay| {
        not_there(registrar.update(|batch| {
            batch.replace::<Ask<2>, _>(relay).deregister::<Ask<1>>();
        }));
    });
    free_while_dropped(|_, registrar, relay| {
        not_there(registrar.update(|batch| {
            batch.register::<Ask<2>, _>(relay).deregister::<Ask<3>>();
        }));
    });
    free_while_dropped(|_, registrar, relay| {
        not_there(registrar.update(|batch| {
            batch.deregister::<Ask<3>>().register::<Ask<2>, _>(relay);
        }));
    });
}
