//! [`Queue`]: who waits, in the order they came.

use std::collections::VecDeque;
use std::task::Waker;

/// First in, first out. Places are numbered in the order of arrival, so that a waiter is found by a
/// binary search; one that leaves from the middle moves at most half of the others up.
pub(super) struct Queue {
    /// By place, ascending.
    waiters: VecDeque<(u64, Waker)>,
    room: usize,
    next: u64,
}

impl Queue {
    pub(super) fn new(room: usize) -> Self {
        Self {
            waiters: VecDeque::with_capacity(room),
            room,
            next: 0,
        }
    }

    pub(super) fn room(&self) -> usize {
        self.room
    }

    pub(super) fn has_room(&self) -> bool {
        self.waiters.len() < self.room
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiters.is_empty()
    }

    /// A place of somebody who need not wait.
    pub(super) fn pass_by(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// The last place, with a waker that does nothing.
    pub(super) fn push(&mut self) -> u64 {
        let place = self.pass_by();
        self.waiters.push_back((place, Waker::noop().clone()));
        place
    }

    /// The first waiter.
    pub(super) fn pop(&mut self) -> Option<Waker> {
        self.waiters.pop_front().map(|(_, waker)| waker)
    }

    pub(super) fn waker(&mut self, place: u64) -> Option<&mut Waker> {
        let index = self.find(place)?;
        self.waiters.get_mut(index).map(|(_, waker)| waker)
    }

    pub(super) fn remove(&mut self, place: u64) -> Option<Waker> {
        let index = self.find(place)?;
        self.waiters.remove(index).map(|(_, waker)| waker)
    }

    fn find(&self, place: u64) -> Option<usize> {
        let place_of = |(place, _): &(u64, Waker)| *place;
        self.waiters.binary_search_by_key(&place, place_of).ok()
    }
}
