//! [`Line`]: the queue of messages that wait for a rate limit, in the order of their turns.

use std::collections::BTreeMap;
use std::mem;
use std::task::Waker;

use super::bucket::{Bucket, Taken};
use crate::sync::{Mutex, MutexGuard};
use crate::sync::{drop_caught, wake_caught};

/// The reservations of tokens that were taken ahead of their time. The turns follow each other without a
/// gap, each by its cost. A waiter that leaves lets later ones move up, and its tokens return to the
/// bucket.
///
/// Each waiter has its own alarm, so that a waiter that is not polled delays no other. Only the first
/// waiter is told that its turn has moved up, because that waiter is the next to pass. After the first
/// has gone, the next one is told. A crowd that leaves therefore wakes one waiter for each departure,
/// and no more.
#[derive(Debug, Default)]
pub(super) struct Line(Mutex<Places>);

#[derive(Debug, Default)]
struct Places {
    by_number: BTreeMap<u64, Place>,
    /// The number of the next waiter that joins.
    next: u64,
    /// The tick of the bucket when the last waiter joined, less the nanoseconds given back since.
    end: u64,
    /// The number of the last waiter that was served. No later waiter has passed yet.
    served: u64,
    /// The sum of the nanoseconds by which all waiters have been moved up.
    moved_up: u64,
}

#[derive(Debug)]
struct Place {
    /// The tick of the turn at the time of joining.
    due: u64,
    /// The tick of the turn if no waiter had moved up before. Subtract the nanoseconds by which this
    /// place and those before have moved up.
    unmoved: u64,
    cost: u64,
    /// The nanoseconds by which departures just before this place have moved the place up. Handed on to
    /// the next place when this one goes.
    moved_up: u64,
    waker: Option<Waker>,
}

impl Place {
    /// Returns the tick of the turn. For places after the first this is the latest tick, because earlier
    /// places may have moved up.
    fn turn(&self) -> u64 {
        self.due.min(self.unmoved.saturating_sub(self.moved_up))
    }
}

impl Line {
    /// Joins the line if the tokens that `take` takes are to be waited for. The tokens are taken under
    /// the lock, so that places stand in the order of their turns.
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

    /// Returns the tick of this place's turn, as far as the place has been told. Keeps `waker` and
    /// leaves the earlier waker in its place, which the caller drops outside the lock.
    pub(super) fn turn(&self, number: u64, waker: &mut Option<Waker>) -> u64 {
        let mut places = self.0.lock();
        let place = places.by_number.get_mut(&number).expect("it waits");
        mem::swap(&mut place.waker, waker);
        place.turn()
    }

    /// Returns the tick of this place's turn after all departures. Looks at all places before this one.
    pub(super) fn turn_after_all(&self, number: u64) -> u64 {
        let places = self.0.lock();
        let before = places.by_number.range(..=number);
        let moved_up: u64 = before.map(|(_, place)| place.moved_up).sum();
        places.by_number[&number].unmoved.saturating_sub(moved_up)
    }

    /// Removes a place whose turn has come and whose tokens are used.
    pub(super) fn serve(&self, number: u64) {
        let mut places = self.0.lock();
        places.served = places.served.max(number);
        let gone = places.go(number, 0);
        gone.tell(places);
    }

    /// Removes a place that is left at the tick `now`, and gives its tokens back.
    pub(super) fn leave(&self, number: u64, now: u64, bucket: &Bucket) {
        let mut places = self.0.lock();
        let credit = places.credit(number, now);
        let given_back = places.give_back(credit, bucket);
        let gone = places.go(number, given_back);
        gone.tell(places);
    }
}

impl Places {
    /// Returns the nanoseconds by which later places can move up. They move neither before `now` nor
    /// past a waiter that was served.
    fn credit(&self, number: u64, now: u64) -> u64 {
        let Some((first, head)) = self.by_number.first_key_value() else {
            return 0;
        };
        let is_passed = number < self.served;
        let cost = self.by_number[&number].cost;
        match self.by_number.range(number + 1..).next() {
            _ if is_passed => 0,
            _ if head.turn() > now => cost,
            // The first waiter is late, so its turn may have been partly used up. The credit of any other
            // waiter is unknown then, and counts as 0.
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

    /// Gives `credit` back to the bucket, and returns the accepted part. That is nothing if others have
    /// taken from the bucket past the line.
    fn give_back(&mut self, credit: u64, bucket: &Bucket) -> u64 {
        if credit > 0 && bucket.lower(self.end, credit) {
            self.end -= credit;
            credit
        } else {
            0
        }
    }

    /// Removes a place, and moves the next one up by `given_back` and by the nanoseconds handed on to
    /// the removed one.
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
            // The next place may have moved up while others stood before. Its own alarm does not know of
            // that.
            if was_first && next.moved_up > 0 {
                gone.next = next.waker.take();
            }
        }
        gone
    }
}

/// The wakers of the removed place and of the new first one, to be used outside the lock.
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
