//! [`BulkheadPolicy`]: the permits, and the queue of the messages that wait for one.
//!
//! All counts stand in one atomic word ([`counts`]), whose order decides every race. If a release comes
//! before a waiter joins, the waiter finds the permit free. If the release comes after, the release
//! finds a waiter and serves the queue. A lock guards the queue itself. Only the holder of the lock
//! changes the number of waiters and hands permits over. A permit passes from its holder to the first
//! waiter without being free in between, because no other message may take a permit while one waits.
//!
//! A waiter that is no longer in the queue has its permit. A waiter learns this from its absence, and so
//! does its drop, which gives back either the place or the permit.

mod counts;
mod permit;

pub use counts::BulkheadUsage;
pub use permit::{Permit, Turn};

use std::fmt;
use std::task::Waker;

use crate::setting::InvalidSetting;
use crate::sync::{KeptWaker, Mutex};
use crate::sync::{Place, WaitQueue};
use counts::Counts;

/// A bounded number of permits, and a bounded queue of messages that wait for one.
///
/// ```
/// use arcbus::middleware::bulkhead::BulkheadPolicy;
///
/// let policy = BulkheadPolicy::new(1)?;
/// let permit = policy.try_acquire().expect("free");
/// assert!(policy.try_acquire().is_none());
/// drop(permit);
/// assert!(policy.try_acquire().is_some());
/// # Ok::<_, arcbus::InvalidSetting>(())
/// ```
pub struct BulkheadPolicy {
    counts: Counts,
    // Invariant: while the lock is free, the queue is as long as the number of waiters in `counts`.
    queue: Mutex<WaitQueue>,
    /// Number of messages that may wait.
    room: usize,
}

impl BulkheadPolicy {
    /// Creates a bulkhead without a queue, for a `limit` from 1 to 16,777,215.
    ///
    /// # Errors
    ///
    /// Returns an error if the limit is out of range.
    pub fn new(limit: usize) -> Result<Self, InvalidSetting> {
        Self::with_room(limit, 0)
    }

    /// Creates a bulkhead with a queue of up to `len` waiters, from 1 to 65,535.
    ///
    /// # Errors
    ///
    /// Returns an error if the limit or the length is out of range.
    pub fn with_queue(limit: usize, len: usize) -> Result<Self, InvalidSetting> {
        Self::check(limit, len)?;
        Self::with_room(limit, len)
    }

    pub(super) fn check(limit: usize, len: usize) -> Result<(), InvalidSetting> {
        Counts::check_limit(limit)?;
        Counts::check_queue(len)
    }

    fn with_room(limit: usize, len: usize) -> Result<Self, InvalidSetting> {
        Ok(Self {
            counts: Counts::new(limit)?,
            queue: Mutex::new(WaitQueue::with_capacity(len)),
            room: len,
        })
    }

    /// Takes a permit, if one is free and no message waits. Takes no lock.
    #[inline]
    pub fn try_acquire(&self) -> Option<Permit<'_>> {
        self.counts.try_enter().then(|| Permit::new(self))
    }

    /// Takes a place at the end of the queue, or returns `None` if the queue is full. If a permit has
    /// become free meanwhile, the turn has come at once.
    pub fn join(&self) -> Option<Turn<'_>> {
        let mut queue = self.queue.lock();
        let has_room = queue.len() < self.room;
        match self.counts.enter_or_wait(has_room) {
            counts::Joined::Entered => Some(Turn::new(self, Place::NOWHERE)),
            counts::Joined::Waits => Some(Turn::new(self, queue.push())),
            counts::Joined::Full => None,
        }
    }

    /// Returns the limit, the permits in use and the number of waiters, all read at one moment.
    #[must_use]
    pub fn usage(&self) -> BulkheadUsage {
        self.counts.read()
    }

    /// Changes the limit. A higher limit admits waiting messages at once. A lower limit takes nothing
    /// away: running dispatches finish, and no message enters until fewer than `limit` dispatches run.
    ///
    /// # Errors
    ///
    /// Returns an error if the limit is out of range, from 1 to 16,777,215.
    pub fn set_limit(&self, limit: usize) -> Result<(), InvalidSetting> {
        if self.counts.set_limit(limit)? {
            self.serve();
        }
        Ok(())
    }

    /// Gives a permit back, and serves the queue if a message waits.
    #[inline]
    fn release(&self) {
        if self.counts.leave() {
            self.serve();
        }
    }

    /// Hands the free permits to the waiters in order, and wakes the waiters outside the lock.
    #[cold]
    #[inline(never)]
    fn serve(&self) {
        while let Some(waker) = self.hand_over() {
            waker.wake();
        }
    }

    fn hand_over(&self) -> Option<KeptWaker> {
        let mut queue = self.queue.lock();
        if queue.is_empty() || !self.counts.hand_over() {
            return None;
        }
        queue.pop().map(|(_, waker)| waker)
    }

    /// Returns true if the waiter at `place` still waits. In that case `waker` is woken when its turn
    /// comes.
    fn waits(&self, place: Place, waker: &Waker) -> bool {
        // The replaced waker is dropped after the lock, and so is this one if it is not kept.
        let mut waker = KeptWaker::of(waker);
        let mut queue = self.queue.lock();
        let kept = queue.waker(place);
        kept.map(|kept| std::mem::swap(kept, &mut waker)).is_some()
    }

    /// Gives up the place, or the permit that was handed to the waiter.
    fn give_up(&self, place: Place) {
        let waiter = {
            let mut queue = self.queue.lock();
            let waiter = queue.remove(place);
            if waiter.is_some() {
                self.counts.wait_no_more();
            }
            waiter
        };
        if waiter.is_none() {
            self.release();
        }
    }
}

impl fmt::Debug for BulkheadPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let usage = self.usage();
        f.debug_struct("BulkheadPolicy")
            .field("limit", &usage.limit)
            .field("in_use", &usage.in_use)
            .field("waiting", &usage.waiting)
            .field("queue", &self.room)
            .finish()
    }
}
