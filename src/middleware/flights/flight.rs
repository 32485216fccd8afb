//! [`Flight`]: one computation, and those who wait for it.

use std::collections::VecDeque;
use std::mem::replace;
use std::task::Waker;

use crate::sync::{Arc, Mutex, Ordering, PlainU64};
use crate::unwind::wake_caught;

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
#[derive(Default)]
struct Queue {
    next: u64,
    waiting: VecDeque<(u64, Option<Waker>)>,
    /// Who is to lead, now that the leader has given up. Not among the waiting any more.
    named: Option<u64>,
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
    Named(Option<Waker>),
    /// Nobody waits.
    None,
}

impl Queue {
    fn place(&mut self, place: u64) -> Option<usize> {
        self.waiting.binary_search_by_key(&place, |it| it.0).ok()
    }

    /// Names the one who has waited longest.
    fn name_next(&mut self) -> Successor {
        let next = self.waiting.pop_front();
        self.named = next.as_ref().map(|(place, _)| *place);
        next.map_or(Successor::None, |(_, waker)| Successor::Named(waker))
    }
}

impl<V> Flight<V> {
    pub(super) fn new() -> Self {
        /// Relaxed: each addition draws another number. No partner, no model.
        static NUMBERS: PlainU64 = PlainU64::new(0);
        Self {
            state: Mutex::new(State::InTheAir(Queue::default())),
            number: NUMBERS.fetch_add(1, Ordering::Relaxed),
        }
    }

    /// No other flight has this number.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// A place among those who wait. Called under the lock of the key's shard, of a flight in its map.
    pub(super) fn join(&self) -> u64 {
        match &mut *self.state.lock() {
            State::InTheAir(queue) => {
                let place = queue.next;
                queue.next += 1;
                queue.waiting.push_back((place, None));
                place
            }
            State::Landed(_) => unreachable!("what has landed is in no map"),
        }
    }

    /// Asks for the one at `place`; where it is to wait on, `waker` is kept, and what it replaces is
    /// left there: a waker's drop is code of others, and so not for under the lock.
    pub(super) fn ask(&self, place: u64, waker: &mut Option<Waker>) -> Turn<V> {
        match &mut *self.state.lock() {
            State::Landed(value) => Turn::Landed(Arc::clone(value)),
            State::InTheAir(queue) if queue.named == Some(place) => Turn::Leads,
            State::InTheAir(queue) => {
                let at = queue.place(place).expect("it waits or is named");
                let kept = &mut queue.waiting[at].1;
                *waker = replace(kept, waker.take());
                Turn::Waits
            }
        }
    }

    /// Leaves its place. Says whether it was to lead.
    pub(super) fn leave(&self, place: u64) -> bool {
        let (waker, was_named) = match &mut *self.state.lock() {
            State::InTheAir(queue) => {
                let at = queue.place(place);
                let waker = at.and_then(|at| queue.waiting.remove(at));
                (waker, queue.named == Some(place))
            }
            State::Landed(_) => (None, false),
        };
        drop(waker);
        was_named
    }

    /// Names who is to lead next, if it has not landed. Called under the lock of the key's shard.
    pub(super) fn name_next(&self) -> Successor {
        match &mut *self.state.lock() {
            State::InTheAir(queue) => queue.name_next(),
            State::Landed(_) => Successor::Named(None),
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
        if let State::InTheAir(queue) = before {
            let wakers = queue.waiting.into_iter().filter_map(|(_, waker)| waker);
            wakers.for_each(wake_caught);
        }
    }
}
