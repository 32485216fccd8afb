//! [`Flight`]: one computation, and those who wait for it.

use std::mem::{replace, swap};

use crate::sync::{Arc, KeptWaker, Mutex, Ordering, PlainU64};
use crate::sync::{Place, WaitQueue};

/// A computation that one dispatch makes and others wait for.
pub(super) struct Flight<V> {
    state: Mutex<State<V>>,
    number: u64,
}

enum State<V> {
    /// Its leader is at it, or the next one has been named.
    InTheAir(Queue),
    /// Shared, so that nobody copies a value under the lock.
    Landed(Arc<V>),
}

/// Those who wait, first come first.
struct Queue {
    waiting: WaitQueue,
    /// Who is to lead, now that the leader has given up. Not among the waiting any more.
    named: Option<Place>,
}

/// What one that waits finds.
pub(super) enum Turn<V> {
    Landed(Arc<V>),
    /// It is the one that was named.
    Leads,
    Waits,
}

/// Who is to lead next.
pub(super) enum Successor {
    /// It has been named, and is woken by this.
    Named(KeptWaker),
    /// Nobody waits.
    None,
}

impl Queue {
    fn new() -> Self {
        Self {
            waiting: WaitQueue::with_capacity(0),
            named: None,
        }
    }

    /// Names the one who has waited longest.
    fn name_next(&mut self) -> Successor {
        let next = self.waiting.pop();
        self.named = next.as_ref().map(|(place, _)| *place);
        next.map_or(Successor::None, |(_, waker)| Successor::Named(waker))
    }
}

impl<V> Flight<V> {
    pub(super) fn new() -> Self {
        /// Relaxed: each addition draws another number. No partner, no model.
        static NUMBERS: PlainU64 = PlainU64::new(0);
        Self {
            state: Mutex::new(State::InTheAir(Queue::new())),
            number: NUMBERS.fetch_add(1, Ordering::Relaxed),
        }
    }

    /// No other flight has this number.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// A place among those who wait, unless `most` do. Called under the lock of the key's shard, of a flight
    /// in its map.
    pub(super) fn join(&self, most: usize) -> Option<Place> {
        match &mut *self.state.lock() {
            State::InTheAir(queue) => (queue.waiting.len() < most).then(|| queue.waiting.push()),
            State::Landed(_) => unreachable!("what has landed is in no map"),
        }
    }

    /// Asks for the one at `place`; where it is to wait on, `waker` is kept, and what it replaces is
    /// left there: a waker's drop is code of others, and so not for under the lock.
    pub(super) fn ask(&self, place: Place, waker: &mut KeptWaker) -> Turn<V> {
        match &mut *self.state.lock() {
            State::Landed(value) => Turn::Landed(Arc::clone(value)),
            State::InTheAir(queue) if queue.named == Some(place) => Turn::Leads,
            State::InTheAir(queue) => {
                let kept = queue.waiting.waker(place);
                swap(kept.expect("it waits or is named"), waker);
                Turn::Waits
            }
        }
    }

    /// Leaves its place. Says whether it was to lead.
    pub(super) fn leave(&self, place: Place) -> bool {
        let (waker, was_named) = match &mut *self.state.lock() {
            State::InTheAir(queue) => (queue.waiting.remove(place), queue.named == Some(place)),
            State::Landed(_) => (None, false),
        };
        drop(waker);
        was_named
    }

    /// Names who is to lead next, if it has not landed. Called under the lock of the key's shard.
    pub(super) fn name_next(&self) -> Successor {
        match &mut *self.state.lock() {
            State::InTheAir(queue) => queue.name_next(),
            State::Landed(_) => Successor::Named(KeptWaker::NONE),
        }
    }

    pub(super) fn has_waiters(&self) -> bool {
        match &*self.state.lock() {
            State::InTheAir(queue) => !queue.waiting.is_empty(),
            State::Landed(_) => false,
        }
    }

    /// Gives all who wait their value.
    pub(super) fn land(&self, value: V) {
        let landed = State::Landed(Arc::new(value));
        let before = replace(&mut *self.state.lock(), landed);
        if let State::InTheAir(mut queue) = before {
            while let Some((_, waker)) = queue.waiting.pop() {
                waker.wake();
            }
        }
    }
}
