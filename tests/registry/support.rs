//! Messages, a handler that notes its drop, and a watchdog.

use std::future::pending;
use std::pin::Pin;
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context as Task, Waker};
use std::thread::{self, ThreadId};
use std::time::Duration;

use arcbus::{
    Context, Error, Gate, Gated, Handler, InvalidSetting, Layer, Message, NoLayers, Outcome, Query,
    QueryBus, Registrar, RouteInfo,
};

pub(crate) type Changer = Registrar<Query, NoLayers>;

const NAMES: [&str; 6] = ["", "a", "b", "c", "same", "same"];

/// The action of the message's handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Do {
    Answer,
    Wait,
}

/// The messages of these tests, where `0` has no name, and `4` and `5` share a name.
pub(crate) struct Ask<const N: usize>(pub(crate) Do);

impl<const N: usize> Message for Ask<N> {
    const NAME: &'static str = NAMES[N];
    type Kind = Query;
    type Reply = u32;
    type Error = String;
}

/// The dropped handlers, in their order, with the thread of each drop.
#[derive(Clone, Default)]
pub(crate) struct Drops(Arc<Mutex<Vec<(u32, ThreadId)>>>);

impl Drops {
    pub(crate) fn handler(&self, number: u32) -> Numbered {
        Numbered {
            number,
            drops: self.clone(),
        }
    }

    /// Returns the numbers of the dropped handlers, sorted.
    pub(crate) fn numbers(&self) -> Vec<u32> {
        let mut numbers: Vec<_> = self.lock(|(number, _)| *number);
        numbers.sort_unstable();
        numbers
    }

    /// Returns the threads on which handlers were dropped, in the order of the drops.
    pub(crate) fn threads(&self) -> Vec<ThreadId> {
        self.lock(|(_, thread)| *thread)
    }

    fn lock<T>(&self, map: impl Fn(&(u32, ThreadId)) -> T) -> Vec<T> {
        self.0.lock().expect("no panic").iter().map(map).collect()
    }
}

/// A handler that replies with its number, or waits for ever.
pub(crate) struct Numbered {
    number: u32,
    drops: Drops,
}

impl<const N: usize> Handler<Ask<N>> for Numbered {
    async fn handle(&self, msg: Ask<N>, _cx: &Context<'_>) -> Result<u32, String> {
        match msg.0 {
            Do::Answer => Ok(self.number),
            Do::Wait => pending().await,
        }
    }
}

impl Drop for Numbered {
    fn drop(&mut self) {
        let drop = (self.number, thread::current().id());
        self.drops.0.lock().expect("no panic").push(drop);
    }
}

pub(crate) fn open() -> (QueryBus, Changer) {
    QueryBus::builder().open().expect("nothing to refuse")
}

/// Returns the reply of the handler of `Ask<N>`, or `None` if there is none.
pub(crate) fn ask<const N: usize>(bus: &QueryBus) -> Option<u32> {
    answer(bus.execute_blocking(Ask::<N>(Do::Answer)))
}

pub(crate) fn answer(outcome: Result<u32, Error<String>>) -> Option<u32> {
    match outcome {
        Ok(number) => Some(number),
        Err(error) if error.is_handler_not_found() => None,
        Err(error) => panic!("{error}"),
    }
}

/// Returns the replies to each message, and the listed routes.
pub(crate) fn all(bus: &QueryBus) -> ([Option<u32>; 6], String) {
    let answers = [
        ask::<0>(bus),
        ask::<1>(bus),
        ask::<2>(bus),
        ask::<3>(bus),
        ask::<4>(bus),
        ask::<5>(bus),
    ];
    (answers, format!("{:?}", bus.routes()))
}

/// A started dispatch to a handler that waits.
pub(crate) type Waiting<'a, const N: usize> =
    Pin<Box<dyn Future<Output = Outcome<Ask<N>>> + Send + 'a>>;

pub(crate) fn begin<const N: usize>(bus: &QueryBus) -> Waiting<'_, N> {
    let mut future = Box::pin(bus.execute(Ask::<N>(Do::Wait)));
    let mut task = Task::from_waker(Waker::noop());
    assert!(future.as_mut().poll(&mut task).is_pending());
    future
}

pub(crate) fn block<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime")
        .block_on(future)
}

/// Runs `work` in its own thread, and fails if the thread does not end.
pub(crate) fn watched<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, ended) = mpsc::channel::<()>();
    let thread = thread::spawn(move || {
        // Closed when the work is done, and also when the work panics.
        let _done = done;
        work()
    });
    let end = ended.recv_timeout(Duration::from_secs(60));
    assert_eq!(end, Err(mpsc::RecvTimeoutError::Disconnected), "a deadlock");
    thread.join().expect("no panic")
}

/// Notes the requests to layers and the messages that their middlewares saw, in order.
#[derive(Clone, Default)]
pub(crate) struct Notes(Arc<Mutex<Vec<String>>>);

impl Notes {
    pub(crate) fn layer(&self, name: &'static str) -> Noting {
        Noting {
            name,
            notes: self.clone(),
        }
    }

    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().expect("no panic"))
    }

    fn push(&self, note: String) {
        self.0.lock().expect("no panic").push(note);
    }
}

/// A layer that is also its own middleware.
pub(crate) struct Noting {
    name: &'static str,
    notes: Notes,
}

impl<M: Message> Layer<M> for Noting {
    type Middleware = Gated<Self>;

    fn middleware(
        &self,
        route: &RouteInfo,
        _previous: Option<&Gated<Self>>,
    ) -> Result<Gated<Self>, InvalidSetting> {
        self.notes
            .push(format!("{} for {}", self.name, route.name()));
        Ok(Gated(self.notes.layer(self.name)))
    }

    fn name(&self) -> &'static str {
        self.name
    }
}

impl<M: Message> Gate<M> for Noting {
    type Pass<'a> = ();

    fn enter(&self, _msg: &M, _cx: &Context<'_>) -> Result<(), Error<M::Error>> {
        self.notes.push(self.name.to_owned());
        Ok(())
    }

    fn leave(&self, (): (), _outcome: &Outcome<M>, _cx: &Context<'_>) {}
}
