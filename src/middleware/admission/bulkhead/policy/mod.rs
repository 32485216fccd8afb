//! [`BulkheadPolicy`]: permits, and the queue of those who wait for one.
//!
//! All counts stand in one atomic word ([`counts`]), and that decides every race: a release either
//! comes before a waiter's joining in the order of the word, and the waiter finds the permit free; or
//! after it, and finds somebody waiting, and serves the queue. The queue itself is behind a lock. Who
//! holds the lock alone changes how many wait, and hands permits over: a permit goes from the one who
//! gives it back to the first in line without being free in between, for while somebody waits nobody
//! else may take one.
//!
//! A waiter that is no longer in the queue has its permit: that is how it learns, and how its drop
//! knows what to give back.

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

/// At most so many permits at once, and a bounded queue for those who come next.
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
    // Invariant: as long as `counts` says that so many wait, while the lock is free.
    queue: Mutex<WaitQueue>,
    /// How many may wait.
    room: usize,
}

impl BulkheadPolicy {
    /// Without a queue. `limit`: 1 to 16,777,215.
    ///
    /// # Errors
    ///
    /// If the limit is out of range.
    pub fn new(limit: usize) -> Result<Self, InvalidSetting> {
        Self::with_room(limit, 0)
    }

    /// With a queue of up to `len` waiters, 1 to 65,535.
    ///
    /// # Errors
    ///
    /// If one of them is out of range.
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

    /// A permit, if one is free and nobody waits. Takes no lock.
    #[inline]
    pub fn try_acquire(&self) -> Option<Permit<'_>> {
        self.counts.try_enter().then(|| Permit::new(self))
    }

    /// A place at the end of the queue, if there is one. If a permit has become free meanwhile, it is
    /// its turn at once.
    pub fn join(&self) -> Option<Turn<'_>> {
        let mut queue = self.queue.lock();
        let has_room = queue.len() < self.room;
        match self.counts.enter_or_wait(has_room) {
            counts::Joined::Entered => Some(Turn::new(self, Place::NOWHERE)),
            counts::Joined::Waits => Some(Turn::new(self, queue.push())),
            counts::Joined::Full => None,
        }
    }

    /// The limit, how many permits are in use, and how many wait: of one moment.
    #[must_use]
    pub fn usage(&self) -> BulkheadUsage {
        self.counts.read()
    }

    /// Changes the limit. A higher one is given to those who wait at once. A lower one takes nothing
    /// away: those who run finish, and nobody enters until fewer than `limit` are left.
    ///
    /// # Errors
    ///
    /// If the limit is out of range: 1 to 16,777,215.
    pub fn set_limit(&self, limit: usize) -> Result<(), InvalidSetting> {
        if self.counts.set_limit(limit)? {
            self.serve();
        }
        Ok(())
    }

    /// Gives a permit back.
    #[inline]
    fn release(&self) {
        if self.counts.leave() {
            self.serve();
        }
    }

    /// Hands what is free to those who wait, in order. Wakes outside the lock.
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

    /// Whether the waiter at `place` still waits; then `waker` is woken when its turn comes.
    fn waits(&self, place: Place, waker: &Waker) -> bool {
        // What it replaces is dropped after the lock, as is itself where it is not kept.
        let mut waker = KeptWaker::of(waker);
        let mut queue = self.queue.lock();
        let kept = queue.waker(place);
        kept.map(|kept| std::mem::swap(kept, &mut waker)).is_some()
    }

    /// Gives the place up, or the permit that was handed to it.
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
