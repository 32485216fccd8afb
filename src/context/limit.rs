//! The time limit that a middleware sets for what runs inside it.

use super::NEVER;
use crate::sync::{Ordering, PlainU64};

/// A tick that can be set through a shared context: what runs inside a middleware borrows it.
///
/// Relaxed everywhere, for the reason given at `Timing`: one thread at a time uses a context.
#[derive(Debug)]
pub(crate) struct Limit(PlainU64);

impl Limit {
    #[expect(
        clippy::declare_interior_mutable_const,
        reason = "each context has its own"
    )]
    pub(super) const NONE: Self = Self(PlainU64::new(NEVER));

    #[inline]
    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Sets the limit; returns the one before, to be set again when what runs inside is done.
    #[inline]
    pub(crate) fn replace(&self, tick: u64) -> u64 {
        let before = self.get();
        self.0.store(tick, Ordering::Relaxed);
        before
    }
}

impl Clone for Limit {
    fn clone(&self) -> Self {
        Self(PlainU64::new(self.get()))
    }
}
