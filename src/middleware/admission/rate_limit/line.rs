//! [`Line`]: those who wait for a rate limit, in the order of their turns.

use std::collections::BTreeMap;
use std::mem;
use std::task::Waker;

use super::bucket::{Bucket, Taken};
use crate::sync::{Mutex, MutexGuard};
use crate::sync::{drop_caught, wake_caught};

/// Those who have taken tokens ahead of their time. Their turns follow each other without a gap, each by
/// what it costs: who leaves lets those behind it move up, and the bucket has its tokens again.
///
/// Each waits by an alarm of its own, so that one that is not polled holds up nobody. Only the first is
/// told that it has moved up; it is the next to pass, and when it has gone, the one behind it is told. So
/// a crowd that leaves wakes a waiter for each that goes, and no more.
#[derive(Debug, Default)]
pub(super) struct Line(Mutex<Places>);

#[derive(Debug, Default)]
struct Places {
    by_number: BTreeMap<u64, Place>,
    /// The number of the next one that joins.
    next: u64,
    /// What the bucket was set to when the last one joined, less what was given back since.
    end: u64,
    /// Behind the last that was served, nobody has passed yet.
    served: u64,
    /// By how much all that wait have moved each other up: the sum of theirs.
    moved_up: u64,
}

#[derive(Debug)]
struct Place {
    /// When its turn came when it joined, as a tick.
    due: u64,
    /// The turn, as a tick, if nobody had moved up before: subtract what this place and those before it have
    /// moved up.
    unmoved: u64,
    cost: u64,
    /// By how much those who left just before it have moved it up. Handed on to the next when it goes.
    moved_up: u64,
    waker: Option<Waker>,
}

impl Place {
    /// When its turn comes; of others than the first at the latest, for those before it may have moved up.
    fn turn(&self) -> u64 {
        self.due.min(self.unmoved.saturating_sub(self.moved_up))
    }
}

impl Line {
    /// Takes a place for what `take` takes, if that is to be waited for: in this order, so that places
    /// stand in the order of their turns.
    pub(super) fn join<E>(
        &self,
        take: impl FnOnce() -> Result<Taken, E>,
    ) -> Result<(Taken, Option<u64>), E> {
        let mut places = self.0.lock();
        let taken = take()?;
        if taken.wait == 0 {
            return Ok((taken, None));
        }
        places.next += 1;
        places.end = taken.tick;
        let place = Place {
            due: taken.due,
            unmoved: taken.due.saturating_add(places.moved_up),
            cost: taken.cost,
            moved_up: 0,
            waker: None,
        };
        let number = places.next;
        places.by_number.insert(number, place);
        Ok((taken, Some(number)))
    }

    /// When the turn of this place comes, as far as it has been told. Keeps `waker`, and leaves the one
    /// before in its place, to be dropped by the caller: not under the lock.
    pub(super) fn turn(&self, number: u64, waker: &mut Option<Waker>) -> u64 {
        let mut places = self.0.lock();
        let place = places.by_number.get_mut(&number).expect("it waits");
        mem::swap(&mut place.waker, waker);
        place.turn()
    }

    /// When the turn of this place comes, after all who left. Looks at all before it.
    pub(super) fn turn_after_all(&self, number: u64) -> u64 {
        let places = self.0.lock();
        let before = places.by_number.range(..=number);
        let moved_up: u64 = before.map(|(_, place)| place.moved_up).sum();
        places.by_number[&number].unmoved.saturating_sub(moved_up)
    }

    /// The turn of this place has come, and its tokens are used.
    pub(super) fn serve(&self, number: u64) {
        let mut places = self.0.lock();
        places.served = places.served.max(number);
        let gone = places.go(number, 0);
        gone.tell(places);
    }

    /// This place is left at the tick `now`, and its tokens go back.
    pub(super) fn leave(&self, number: u64, now: u64, bucket: &Bucket) {
        let mut places = self.0.lock();
        let credit = places.credit(number, now);
        let given_back = places.give_back(credit, bucket);
        let gone = places.go(number, given_back);
        gone.tell(places);
    }
}

impl Places {
    /// By how much those behind it can move up: not before now, and not past one that was served.
    fn credit(&self, number: u64, now: u64) -> u64 {
        let Some((first, head)) = self.by_number.first_key_value() else {
            return 0;
        };
        let is_passed = number < self.served;
        let cost = self.by_number[&number].cost;
        match self.by_number.range(number + 1..).next() {
            _ if is_passed => 0,
            _ if head.turn() > now => cost,
            // The first is late: its turn may have been partly used up, and then nobody knows of others.
            Some((_, next)) if *first == number => {
                let next_turn = head.turn().saturating_add(next.cost);
                cost.min(next_turn.saturating_sub(now))
            }
            None if *first == number => {
                cost.min(head.turn().saturating_add(cost).saturating_sub(now))
            }
            _ => 0,
        }
    }

    /// Gives `credit` back to the bucket and returns how much of it went: nothing if others have taken from it past the line.
    fn give_back(&mut self, credit: u64, bucket: &Bucket) -> u64 {
        if credit > 0 && bucket.lower(self.end, credit) {
            self.end -= credit;
            credit
        } else {
            0
        }
    }

    /// Takes a place out; the one behind it moves up by so much, and by what was handed on to it.
    fn go(&mut self, number: u64, given_back: u64) -> Gone {
        let was_first = self.by_number.first_key_value().map(|it| *it.0) == Some(number);
        let place = self.by_number.remove(&number).expect("it waits");
        self.moved_up -= place.moved_up;
        let moved = place.moved_up + given_back;
        let mut gone = Gone {
            next: None,
            own: place.waker,
        };
        if let Some((_, next)) = self.by_number.range_mut(number..).next() {
            self.moved_up += moved;
            next.moved_up += moved;
            // It may have moved up while others stood before it: its own alarm does not know.
            if was_first && next.moved_up > 0 {
                gone.next = next.waker.take();
            }
        }
        gone
    }
}

/// The wakers of who has gone and of the first behind it, which are for outside of the lock.
struct Gone {
    next: Option<Waker>,
    own: Option<Waker>,
}

impl Gone {
    fn tell(self, places: MutexGuard<'_, Places>) {
        drop(places);
        drop_caught(|| drop(self.own));
        self.next.into_iter().for_each(wake_caught);
    }
}
