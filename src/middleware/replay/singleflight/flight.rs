//! [`Flight`]: a load under way, and the waiters for its value.

use std::mem::{replace, swap};

use super::stay::{Stay, Stays};
use crate::sync::{Arc, KeptWaker, Mutex, Ordering, PlainU64};
use crate::sync::{Place, WaitQueue};

/// A load that one dispatch makes while other dispatches wait for its value.
pub(super) struct Flight<V, R> {
    state: Mutex<State<V, R>>,
    number: u64,
}

enum State<V, R> {
    /// The leader is making the load, or the next leader has been named.
    InTheAir(Queue<R>),
    /// The loaded value, which is shared so that no copy is made under the lock.
    Landed(Arc<V>),
}

/// The waiters of a flight, in the order of their arrival.
struct Queue<R> {
    /// Waiters that may take over a run.
    waiting: WaitQueue,
    /// Waiters inside of a run, which may not take over another.
    nested: WaitQueue,
    /// The next leader, once the leader has given up. A named waiter is no longer in its queue.
    named: Option<Seat>,
    /// The run that the named waiter is to take over.
    parked: Option<R>,
    /// The stays of the leader and of all waiters, in whichever queue they wait.
    stays: Stays,
}

/// The place of a waiter in one of the two queues.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Seat {
    place: Place,
    is_nested: bool,
}

/// The answer to a waiter that asks for its turn.
pub(super) enum Turn<V, R> {
    Landed(Arc<V>),
    /// The waiter was named leader, and takes over the run if one has begun.
    Leads(Option<R>),
    Waits,
}

/// The waiter that is to lead next.
pub(super) enum Successor {
    /// A waiter has been named, and this waker wakes its task.
    Named(KeptWaker),
    /// The flight has no waiters.
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

    /// Names the waiter that has waited longest as the next leader, and parks the run for that waiter.
    /// Returns the run if no waiter may take over. A waiter inside of a run may not, because that waiter
    /// could come to own the run that contains it.
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

    /// Returns the number of the flight, which no other flight has.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Returns the latest tick at which the leader or a waiter leaves. Returns `None` if one of them has
    /// no such tick, or once the value has landed.
    pub(super) fn latest(&self) -> Option<u64> {
        match &*self.state.lock() {
            State::InTheAir(queue) => queue.stays.latest(),
            State::Landed(_) => None,
        }
    }

    /// Takes a place among the waiters, unless `most` of them wait already. The caller holds the lock of
    /// the key's shard, and the flight is in the map of that shard.
    pub(super) fn join(&self, most: usize, stay: Stay) -> Option<Seat> {
        match &mut *self.state.lock() {
            State::InTheAir(queue) => (queue.len() < most).then(|| queue.join(stay)),
            State::Landed(_) => unreachable!("what has landed is in no map"),
        }
    }

    /// Returns the turn of the waiter at `seat`. If the waiter is to wait on, swaps `waker` for the waker
    /// that the flight has kept so far. The caller drops the former waker outside the lock, because the drop
    /// of a waker is user code.
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

    /// Removes the waiter at `seat`. Returns whether this waiter was named leader, in which case the
    /// caller must call `give_up` next.
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

    /// Ends the stay of the leader, names the next one and parks the run, unless the value has landed.
    /// The leader holds the lock of the key's shard. Returns the run if no waiter takes over.
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

    /// Lands the flight: stores the value for all waiters, and wakes them outside the lock.
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
