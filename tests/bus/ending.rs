//! A thread that is ending may still dispatch, from the destructors of its thread-locals.

use std::cell::RefCell;
use std::pin::Pin;
use std::sync::mpsc;
use std::thread;

use arcbus::{Context, Handler, Message, Outcome, Query, QueryBus};

use crate::acts::poll_once;
use crate::support::{drive, turns, watched};

/// Waits for `self.0` turns, and replies with their number.
struct Turns(u32);

impl Message for Turns {
    const NAME: &'static str = "turns";
    type Kind = Query;
    type Reply = u32;
    type Error = String;
}

/// A handler that reports the drop of each of its futures.
struct Turner(mpsc::Sender<()>);

struct Says(mpsc::Sender<()>);

impl Drop for Says {
    fn drop(&mut self) {
        // The test may have dropped the receiver, because not every test listens.
        let _ = self.0.send(());
    }
}

impl Handler<Turns> for Turner {
    async fn handle(&self, msg: Turns, _cx: &Context<'_>) -> Result<u32, String> {
        let _dropped = Says(self.0.clone());
        turns(msg.0).await;
        Ok(msg.0)
    }
}

fn bus() -> (QueryBus, mpsc::Receiver<()>) {
    let (says, dropped) = mpsc::channel();
    let bus = QueryBus::builder()
        .register(Turner(says))
        .build()
        .expect("one name");
    (bus, dropped)
}

/// Runs its closure when the thread ends.
struct AtEnd(Option<Box<dyn FnOnce()>>);

impl Drop for AtEnd {
    fn drop(&mut self) {
        if let Some(work) = self.0.take() {
            work();
        }
    }
}

thread_local! {
    static AT_END: RefCell<AtEnd> = const { RefCell::new(AtEnd(None)) };
}

fn at_end(work: impl FnOnce() + 'static) {
    AT_END.with_borrow_mut(|at_end| at_end.0 = Some(Box::new(work)));
}

/// Says whether a thread dispatches before or after setting its closure, or never. The order of its
/// destructors depends on this.
#[derive(Clone, Copy, Debug)]
enum Earlier {
    Before,
    After,
    Never,
}

const EARLIER: [Earlier; 3] = [Earlier::Before, Earlier::After, Earlier::Never];

/// Runs a thread that executes `work` at its end.
fn ending(earlier: Earlier, bus: QueryBus, work: impl FnOnce(QueryBus) + Send + 'static) {
    let dispatches = move || {
        let own = bus.clone();
        if let Earlier::Before = earlier {
            assert_eq!(drive(bus.execute(Turns(1))).0, Ok(1));
        }
        at_end(move || work(own));
        if let Earlier::After = earlier {
            assert_eq!(drive(bus.execute(Turns(1))).0, Ok(1));
        }
    };
    thread::spawn(dispatches).join().expect("no panic");
}

/// Returns the outcomes through every handle, at once and after a turn, in both lanes.
fn all(bus: &QueryBus) -> Vec<Outcome<Turns>> {
    let (mut local, mut route) = (bus.local(), bus.route::<Turns>().expect("registered"));
    let lanes = |turns| {
        [
            bus.execute_blocking(Turns(turns)),
            drive(bus.execute(Turns(turns))).0,
        ]
    };
    let mut outcomes = [lanes(0), lanes(1)].concat();
    for turns in [0, 1] {
        outcomes.push(local.execute_blocking(Turns(turns)));
        outcomes.push(drive(local.execute(Turns(turns))).0);
        outcomes.push(route.execute_blocking(Turns(turns)));
        outcomes.push(drive(route.execute(Turns(turns))).0);
    }
    outcomes
}

#[test]
fn an_ending_thread_may_dispatch() {
    watched(|| {
        for earlier in EARLIER {
            let (bus, _dropped) = bus();
            let expected = all(&bus);
            assert!(expected.iter().all(Result::is_ok));
            let (sender, receiver) = mpsc::channel();
            ending(earlier, bus, move |bus| {
                sender.send(all(&bus)).expect("the test listens");
            });
            assert_eq!(receiver.recv(), Ok(expected), "{earlier:?}");
        }
    });
}

#[test]
fn an_ending_thread_drops_its_pending_dispatches() {
    watched(|| {
        for earlier in EARLIER {
            let (bus, dropped) = bus();
            let own = bus.clone();
            let mut waits: Pin<Box<dyn Future<Output = Outcome<Turns>> + Send>> =
                Box::pin(async move { own.execute(Turns(3)).await });
            assert!(poll_once(waits.as_mut()).is_pending());
            // Dropped by another thread than the one that polled the dispatch first.
            ending(earlier, bus.clone(), move |_| drop(waits));
            let ended = dropped.try_iter().count();
            let others = usize::from(!matches!(earlier, Earlier::Never));
            assert_eq!(ended, others + 1, "{earlier:?}");
            assert_eq!(bus.execute_blocking(Turns(1)), Ok(1));
        }
    });
}
