//! [`Flight`]: one computation, and those who wait for it.

use std::mem::{replace, swap};

use super::stay::{Stay, Stays};
use crate::sync::{Arc, KeptWaker, Mutex, Ordering, PlainU64};
use crate::sync::{Place, WaitQueue};

/// A computation that one dispatch makes and others wait for.
pub(super) struct Flight<V, R> {
    state: Mutex<State<V, R>>,
    number: u64,
}

enum State<V, R> {
    /// Its leader is at it, or the next one has been named.
    InTheAir(Queue<R>),
    /// Shared, so that nobody copies a value under the lock.
    Landed(Arc<V>),
}

/// Those who wait, first come first.
struct Queue<R> {
    /// Waiters that may take a run over.
    waiting: WaitQueue,
    /// Waiters that are inside of a run.
    nested: WaitQueue,
    /// Who is to lead, now that the leader has given up. Not among the waiting any more.
    named: Option<Seat>,
    /// The run that the named one is to take over.
    parked: Option<R>,
    /// The leader's stay, and those of all who wait.
    stays: Stays,
}

/// The place of a waiter, in the queue that it waits in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Seat {
    place: Place,
    is_nested: bool,
}

/// What one that waits finds.
pub(super) enum Turn<V, R> {
    Landed(Arc<V>),
    /// It is the one that was named, and takes over a run that has begun.
    Leads(Option<R>),
    Waits,
}

/// Who is to lead next.
pub(super) enum Successor {
    /// It has been named, and is woken by this.
    Named(KeptWaker),
    /// Nobody waits.
    None,
}

impl<R> Queue<R> {
    fn new(leader: Stay) -> Self {
        Self {
            waiting: WaitQueue::with_capacity(0),
            nested: WaitQueue::with_capacity(0),
            named: None,
            parked: None,
            stays: Stays::of(leader),
        }
    }

    fn len(&self) -> usize {
        self.waiting.len() + self.nested.len()
    }

    fn of(&mut self, is_nested: bool) -> &mut WaitQueue {
        match is_nested {
            true => &mut self.nested,
            false => &mut self.waiting,
        }
    }

    fn join(&mut self, stay: Stay) -> Seat {
        self.stays.add(stay);
        let is_nested = stay.is_nested;
        let place = self.of(is_nested).push();
        Seat { place, is_nested }
    }

    /// Names the one who has waited longest, and leaves it the run. A run that nobody may take over is
    /// returned: a waiter inside of a run would own the run that it is in.
    fn name_next(&mut self, run: Option<R>) -> (Successor, Option<R>) {
        let run = run.or_else(|| self.parked.take());
        let is_nested = self.waiting.is_empty();
        let next = self.of(is_nested).pop();
        self.named = next.as_ref().map(|(place, _)| Seat {
            place: *place,
            is_nested,
        });
        let successor = next.map_or(Successor::None, |(_, waker)| Successor::Named(waker));
        if is_nested {
            return (successor, run);
        }
        self.parked = run;
        (successor, None)
    }
}

impl<V, R> Flight<V, R> {
    pub(super) fn new(leader: Stay) -> Self {
        /// Relaxed: each addition draws another number. No partner, no model.
        static NUMBERS: PlainU64 = PlainU64::new(0);
        Self {
            state: Mutex::new(State::InTheAir(Queue::new(leader))),
            number: NUMBERS.fetch_add(1, Ordering::Relaxed),
        }
    }

    /// No other flight has this number.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// The latest tick at which one of those who are at it leaves, if each of them has one.
    pub(super) fn latest(&self) -> Option<u64> {
        match &*self.state.lock() {
            State::InTheAir(queue) => queue.stays.latest(),
            State::Landed(_) => None,
        }
    }

    /// A place among those who wait, unless `most` do. Called under the lock of the key's shard, of a flight
    /// in its map.
    pub(super) fn join(&self, most: usize, stay: Stay) -> Option<Seat> {
        match &mut *self.state.lock() {
            State::InTheAir(queue) => (queue.len() < most).then(|| queue.join(stay)),
            State::Landed(_) => unreachable!("what has landed is in no map"),
        }
    }

    /// Asks for the one at `seat`; where it is to wait on, `waker` is kept, and what it replaces is
    /// left there: a waker's drop is code of others, and so not for under the lock.
    pub(super) fn ask(&self, seat: Seat, waker: &mut KeptWaker) -> Turn<V, R> {
        match &mut *self.state.lock() {
            State::Landed(value) => Turn::Landed(Arc::clone(value)),
            State::InTheAir(queue) if queue.named == Some(seat) => Turn::Leads(queue.parked.take()),
            State::InTheAir(queue) => {
                let kept = queue.of(seat.is_nested).waker(seat.place);
                swap(kept.expect("it waits or is named"), waker);
                Turn::Waits
            }
        }
    }

    /// Leaves its place. Says whether it was to lead, and then gives up next.
    pub(super) fn leave(&self, seat: Seat, stay: Stay) -> bool {
        let (waker, was_named) = match &mut *self.state.lock() {
            State::InTheAir(queue) if queue.named == Some(seat) => (None, true),
            State::InTheAir(queue) => {
                queue.stays.remove(stay);
                (queue.of(seat.is_nested).remove(seat.place), false)
            }
            State::Landed(_) => (None, false),
        };
        drop(waker);
        was_named
    }

    /// Names who is to lead next, if it has not landed, and leaves it the run. Called under the lock of the
    /// key's shard by a leader, whose stay ends. Returns a run that nobody takes over.
    pub(super) fn name_next(&self, run: Option<R>, stay: Stay) -> (Successor, Option<R>) {
        match &mut *self.state.lock() {
            State::InTheAir(queue) => {
                queue.stays.remove(stay);
                queue.name_next(run)
            }
            State::Landed(_) => (Successor::Named(KeptWaker::NONE), run),
        }
    }

    pub(super) fn has_waiters(&self) -> bool {
        match &*self.state.lock() {
            State::InTheAir(queue) => queue.len() > 0,
            State::Landed(_) => false,
        }
    }

    /// Gives all who wait their value.
    pub(super) fn land(&self, value: V) {
        let landed = State::Landed(Arc::new(value));
        let before = replace(&mut *self.state.lock(), landed);
        if let State::InTheAir(mut queue) = before {
            for waiting in [&mut queue.waiting, &mut queue.nested] {
                while let Some((_, waker)) = waiting.pop() {
                    waker.wake();
                }
            }
        }
    }
}
