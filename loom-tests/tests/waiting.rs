//! A thread that waits for a handler, and a handler that is stopped: no wake-up is lost, whenever it
//! comes. A lost one is a thread that waits for ever, which fails a model.
#![cfg(arcbus_loom)]

use std::pin::Pin;
use std::task::{Context as Task, Poll, Waker};

use arcbus::{CancelToken, Context, Error, Handler, Phase, QueryBus};
use arcbus_loom::{First, Payload, Seen, explore, weakened};
use loom::sync::{Arc, Mutex};
use loom::thread;

/// Something that a handler waits for.
#[derive(Clone, Default)]
struct Event(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    happened: bool,
    waiter: Option<Waker>,
    polls: usize,
}

impl Event {
    fn happen(&self) {
        let waiter = {
            let mut state = self.0.lock().unwrap();
            state.happened = true;
            state.waiter.take()
        };
        if let Some(waiter) = waiter {
            waiter.wake();
        }
    }

    fn polls(&self) -> usize {
        self.0.lock().unwrap().polls
    }
}

impl Future for Event {
    type Output = Result<usize, String>;

    fn poll(self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Self::Output> {
        let mut state = self.0.lock().unwrap();
        state.polls += 1;
        if state.happened {
            return Poll::Ready(Ok(1));
        }
        state.waiter = Some(task.waker().clone());
        Poll::Pending
    }
}

struct WaitsFor(Event);

impl Handler<First> for WaitsFor {
    fn handle(
        &self,
        _: First,
        _: &Context<'_>,
    ) -> impl Future<Output = Result<usize, String>> + Send {
        self.0.clone()
    }
}

fn bus(event: &Event) -> QueryBus {
    let builder = QueryBus::builder().register::<First, _>(WaitsFor(event.clone()));
    builder.build().unwrap()
}

#[test]
fn a_thread_that_waits_for_its_handler_is_woken() {
    static AT_ONCE: Seen = Seen::new();
    static LATER: Seen = Seen::new();
    let states = [("without waiting", &AT_ONCE), ("waited", &LATER)];
    explore("wake-up", 3, states, || {
        let event = Event::default();
        let bus = bus(&event);
        let other = event.clone();
        let waker = thread::spawn(move || other.happen());
        assert_eq!(bus.execute_blocking(First), Ok(1));
        AT_ONCE.count(event.polls() == 1);
        LATER.count(event.polls() > 2);
        waker.join().unwrap();
    });
}

#[test]
fn a_thread_that_waits_for_its_handler_is_woken_by_its_cancellation() {
    static REFUSED: Seen = Seen::new();
    static STOPPED: Seen = Seen::new();
    let states = [("refused", &REFUSED), ("stopped", &STOPPED)];
    explore("cancellation", 3, states, || {
        let bus = bus(&Event::default());
        let token = CancelToken::new();
        let cx = Context::new().cancel_on(token.clone());
        let canceller = thread::spawn(move || token.cancel());
        let Err(Error::Cancelled { phase }) = bus.execute_blocking_with(First, cx) else {
            panic!("nothing else ends it");
        };
        REFUSED.count(phase == Phase::NotStarted);
        STOPPED.count(phase == Phase::Indeterminate);
        canceller.join().unwrap();
    });
}

#[test]
fn a_thread_that_waits_for_a_token_is_woken() {
    explore("token", 3, [], || {
        let token = CancelToken::new();
        let other = token.clone();
        let canceller = thread::spawn(move || other.cancel());
        token.wait();
        canceller.join().unwrap();
    });
}

/// Whoever sees the cancellation sees what was written before it.
fn written_before(seen: &Seen, not_yet: &Seen) {
    let token = CancelToken::new();
    let payload = Arc::new(Payload::new(0));
    let (other, reason) = (token.clone(), Arc::clone(&payload));
    let canceller = thread::spawn(move || {
        reason.set(1);
        other.cancel();
    });
    let is_cancelled = token.is_cancelled();
    if is_cancelled {
        assert_eq!(payload.get(), 1);
    }
    seen.count(is_cancelled);
    not_yet.count(!is_cancelled);
    canceller.join().unwrap();
}

#[test]
fn whoever_sees_a_cancellation_sees_what_led_to_it() {
    static SEEN: Seen = Seen::new();
    static NOT_YET: Seen = Seen::new();
    let states = [("seen", &SEEN), ("not yet", &NOT_YET)];
    explore("reason of a cancellation", 3, states, || {
        written_before(&SEEN, &NOT_YET);
    });
}

#[test]
#[should_panic(expected = "Causality violation")]
fn the_reason_is_not_seen_when_weakened() {
    weakened(|| written_before(&Seen::new(), &Seen::new()));
}
