//! [`Permit`] and [`Turn`]: held by a dispatch while running and while waiting.

use std::task::Waker;

use super::BulkheadPolicy;
use crate::sync::Place;

/// A permit to run, which is given back when dropped.
#[derive(Debug)]
#[must_use = "a permit is given back when dropped"]
pub struct Permit<'a> {
    policy: &'a BulkheadPolicy,
}

impl<'a> Permit<'a> {
    #[inline]
    pub(super) fn new(policy: &'a BulkheadPolicy) -> Self {
        Self { policy }
    }
}

impl Drop for Permit<'_> {
    #[inline]
    fn drop(&mut self) {
        self.policy.release();
    }
}

/// A place in the queue. Dropping the turn gives the place up, or hands on the permit that came
/// meanwhile.
///
/// ```
/// use arcbus::middleware::bulkhead::BulkheadPolicy;
/// use std::task::Waker;
///
/// let policy = BulkheadPolicy::with_queue(1, 1)?;
/// let running = policy.try_acquire().expect("free");
/// let mut turn = policy.join().expect("one place");
/// assert!(turn.poll(Waker::noop()).is_none());
/// drop(running);
/// assert!(policy.try_acquire().is_none(), "it is the other's turn");
/// assert!(turn.poll(Waker::noop()).is_some());
/// # Ok::<_, arcbus::InvalidSetting>(())
/// ```
#[derive(Debug)]
#[must_use = "a place in the queue is given up when dropped"]
pub struct Turn<'a> {
    policy: &'a BulkheadPolicy,
    /// The place, or `None` once the permit was taken.
    place: Option<Place>,
}

impl<'a> Turn<'a> {
    pub(super) fn new(policy: &'a BulkheadPolicy, place: Place) -> Self {
        let place = Some(place);
        Self { policy, place }
    }

    /// Returns the permit, once, if the turn has come. Otherwise `waker` is woken when the permit comes,
    /// and replaces the waker of an earlier call.
    pub fn poll(&mut self, waker: &Waker) -> Option<Permit<'a>> {
        let place = self.place?;
        if self.policy.waits(place, waker) {
            return None;
        }
        self.place = None;
        Some(Permit::new(self.policy))
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if let Some(place) = self.place {
            self.policy.give_up(place);
        }
    }
}
