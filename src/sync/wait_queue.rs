//! [`WaitQueue`]: waiters in the order of their arrival.

use super::KeptWaker;

/// A first-in, first-out queue of waiters, which may leave from any position.
///
/// Joining, leaving and being served take a fixed number of steps, regardless of the length. They
/// run under a lock, and after a common deadline many waiters leave at once, in any order. The
/// queue is a doubly linked list of seats in a vector, where empty seats form a second list and are
/// reused.
///
/// The queue runs no user code. Wakers come in as copies, and the caller wakes or drops them after
/// the lock is released.
pub(crate) struct WaitQueue {
    seats: Vec<Seat>,
    first: Index,
    last: Index,
    /// The first empty seat. Each empty seat leads to another through `after`.
    empty: Index,
    len: usize,
    /// Number of waiters that have joined so far.
    joined: u64,
}

/// The place of a waiter in the queue, which is never given to a second waiter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    seat: Index,
    number: u64,
}

struct Seat {
    /// The number of the place, or [`NOBODY`] in an empty seat.
    number: u64,
    waker: KeptWaker,
    before: Index,
    after: Index,
}

type Index = u32;

/// An index that stands for no seat.
const NONE: Index = Index::MAX;

/// A number that stands for no place.
const NOBODY: u64 = 0;

impl Place {
    /// The place of a caller that need not wait, and is therefore in no queue.
    pub(crate) const NOWHERE: Self = Self {
        seat: NONE,
        number: NOBODY,
    };
}

impl WaitQueue {
    pub(crate) fn with_capacity(seats: usize) -> Self {
        Self {
            seats: Vec::with_capacity(seats),
            first: NONE,
            last: NONE,
            empty: NONE,
            len: 0,
            joined: NOBODY,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Takes the last place, without a waker at first.
    pub(crate) fn push(&mut self) -> Place {
        self.joined += 1;
        let seat = Seat {
            number: self.joined,
            waker: KeptWaker::NONE,
            before: self.last,
            after: NONE,
        };
        let index = self.sit_down(seat);
        match self.last {
            NONE => self.first = index,
            last => self.seats[last as usize].after = index,
        }
        self.last = index;
        self.len += 1;
        Place {
            seat: index,
            number: self.joined,
        }
    }

    /// Returns the waker of a place, or `None` once the place is no longer in the queue.
    pub(crate) fn waker(&mut self, place: Place) -> Option<&mut KeptWaker> {
        let seat = self.seats.get_mut(place.seat as usize);
        let seat = seat.filter(|seat| seat.number == place.number);
        seat.map(|seat| &mut seat.waker)
    }

    /// Removes a place and returns its waker, or `None` if the place was no longer in the queue.
    pub(crate) fn remove(&mut self, place: Place) -> Option<KeptWaker> {
        self.waker(place)?;
        Some(self.stand_up(place.seat))
    }

    /// Removes and returns the waiter that has waited longest.
    pub(crate) fn pop(&mut self) -> Option<(Place, KeptWaker)> {
        let seat = self.first;
        let number = self.seats.get(seat as usize)?.number;
        Some((Place { seat, number }, self.stand_up(seat)))
    }

    /// Stores the waiter in an empty seat, or in a new one.
    fn sit_down(&mut self, seat: Seat) -> Index {
        let index = self.empty;
        if let Some(empty) = self.seats.get_mut(index as usize) {
            self.empty = empty.after;
            *empty = seat;
            return index;
        }
        self.seats.push(seat);
        Index::try_from(self.seats.len() - 1).expect("so many do not fit into memory")
    }

    /// Links the neighbours of the seat to each other, and puts the seat first among the empty
    /// ones.
    fn stand_up(&mut self, index: Index) -> KeptWaker {
        let seat = &mut self.seats[index as usize];
        let (before, after) = (seat.before, seat.after);
        let waker = std::mem::replace(&mut seat.waker, KeptWaker::NONE);
        (seat.number, seat.after) = (NOBODY, self.empty);
        self.empty = index;
        match before {
            NONE => self.first = after,
            before => self.seats[before as usize].after = after,
        }
        match after {
            NONE => self.last = before,
            after => self.seats[after as usize].before = before,
        }
        self.len -= 1;
        waker
    }
}

#[cfg(all(test, not(arcbus_loom)))]
mod tests {
    use super::*;
    use std::collections::VecDeque;

    /// Compares joining, leaving and serving with a plain list, in an order drawn from `random`.
    #[test]
    fn it_does_what_a_list_does() {
        let random = crate::random::Random::new(7);
        let mut queue = WaitQueue::with_capacity(0);
        let mut list = VecDeque::new();
        let mut gone = vec![Place::NOWHERE];
        for _ in 0..20_000 {
            match random.next() % 5 {
                0 | 1 => list.push_back(queue.push()),
                2 => {
                    let served = queue.pop().map(|(place, _)| place);
                    assert_eq!(served, list.pop_front());
                    gone.extend(served);
                }
                3 if !list.is_empty() => {
                    let place = list.remove(random.next() as usize % list.len());
                    let place = place.expect("one of them");
                    assert!(queue.remove(place).is_some());
                    gone.push(place);
                }
                _ => {
                    let place = gone[random.next() as usize % gone.len()];
                    assert!(queue.waker(place).is_none() && queue.remove(place).is_none());
                }
            }
            assert_eq!(
                (queue.len(), queue.is_empty()),
                (list.len(), list.is_empty())
            );
            assert!(list.iter().all(|place| queue.waker(*place).is_some()) || list.len() > 50);
        }
        let left: VecDeque<_> = std::iter::from_fn(|| queue.pop()).map(|it| it.0).collect();
        assert_eq!(left, list);
    }

    #[test]
    fn seats_are_taken_again() {
        let mut queue = WaitQueue::with_capacity(2);
        let (seats, first) = (queue.seats.capacity(), queue.push());
        for _ in 0..100 {
            let place = queue.push();
            assert!(queue.remove(place).is_some() && queue.remove(place).is_none());
        }
        assert!(queue.waker(first).is_some());
        assert_eq!(queue.seats.capacity(), seats);
    }
}
