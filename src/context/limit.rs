//! State that middleware and inner services exchange through their context: the time limit travels
//! inwards, the source of a reply outwards.

use super::{NEVER, Source};
use crate::clock::Due;
use crate::outcome::TimeLimit;
use crate::sync::{Ordering, PlainU64};

/// Lowest bit of a limit: the limit has passed, and the grace after it has begun. Limits are
/// rounded down to even ticks to make room for this bit.
const OVER: u64 = 1;

/// Bits of the attempt number, from 1 up.
const ATTEMPT: u64 = u32::MAX as u64;
/// Bits of the reply's source, as the number of a [`Source`].
const SOURCE: u64 = 0xff << SOURCE_SHIFT;
const SOURCE_SHIFT: u32 = 32;
/// Marks a nested dispatch, or a run concurrent with another. Outer contexts do not take over its
/// source.
const APART: u64 = 1 << 40;

/// A time limit that can be set through a shared context, because the inner service borrows the
/// context.
///
/// Relaxed everywhere, for the reason given at `Timing`: one thread at a time uses a context.
#[derive(Debug)]
pub(crate) struct Limit<'p> {
    tick: PlainU64,
    /// The bits of [`ATTEMPT`], [`SOURCE`] and [`APART`].
    dispatch: PlainU64,
    /// Limit of the context this one was derived from, which shows whether an outer grace has
    /// begun. The source of a reply is also stored there.
    outer: Option<&'p Limit<'p>>,
}

impl Limit<'_> {
    #[expect(
        clippy::declare_interior_mutable_const,
        reason = "each context has its own"
    )]
    pub(super) const NONE: Self = Self {
        tick: PlainU64::new(NEVER),
        dispatch: PlainU64::new(1),
        outer: None,
    };

    /// Creates the limit of a derived context, at the current tick.
    pub(super) fn derive(&self, attempt: u32) -> Limit<'_> {
        self.inner(self.get(), u64::from(attempt))
    }

    /// Creates the limit of a run concurrent with another, at the current tick.
    pub(super) fn beside(&self, attempt: u32) -> Limit<'_> {
        self.inner(self.get(), u64::from(attempt) | APART)
    }

    /// Creates the limit of a nested dispatch, which has none of its own: this limit is its
    /// deadline.
    pub(super) fn nested(&self) -> Limit<'_> {
        self.inner(NEVER, 1)
    }

    fn inner(&self, tick: u64, dispatch: u64) -> Limit<'_> {
        Limit {
            tick: PlainU64::new(tick),
            dispatch: PlainU64::new(dispatch),
            outer: Some(self),
        }
    }

    /// Copies the attempt number into a limit that borrows nothing.
    pub(super) fn detach(&self) -> Limit<'static> {
        Limit {
            dispatch: PlainU64::new(u64::from(self.attempt())),
            ..Limit::NONE
        }
    }

    pub(super) fn attempt(&self) -> u32 {
        (self.dispatch.load(Ordering::Relaxed) & ATTEMPT) as u32
    }

    #[inline(always)]
    pub(super) fn source(&self) -> Source {
        Source::of((self.dispatch.load(Ordering::Relaxed) & SOURCE) >> SOURCE_SHIFT)
    }

    /// Returns whether no layer has replaced the handler's reply.
    #[inline(always)]
    pub(super) fn is_of_handler(&self) -> bool {
        self.dispatch.load(Ordering::Relaxed) & SOURCE == 0
    }

    /// Records the source of the reply, here and in the outer contexts of this dispatch.
    pub(super) fn set_source(&self, source: Source) {
        let dispatch = self.dispatch.load(Ordering::Relaxed);
        let told = dispatch & !SOURCE | (source as u64) << SOURCE_SHIFT;
        self.dispatch.store(told, Ordering::Relaxed);
        if let (Some(outer), 0) = (self.outer, dispatch & APART) {
            outer.set_source(source);
        }
    }

    /// Resets the state at the start of a dispatch.
    #[inline]
    pub(super) fn begin(&mut self) {
        let dispatch = self.dispatch.get_mut();
        *dispatch = *dispatch & ATTEMPT | APART;
    }

    /// Removes the limit, and returns the tick at which the limit would have been reached.
    pub(super) fn take(&mut self) -> u64 {
        std::mem::replace(self.tick.get_mut(), NEVER)
    }

    #[inline(always)]
    pub(crate) fn get(&self) -> u64 {
        self.tick.load(Ordering::Relaxed)
    }

    /// Returns the owner of the earlier limit: a layer's at the tick `limit`, the caller's at
    /// `deadline`. Two ticks that are rounded to one even tick count as equal, and then the
    /// caller's limit is the earlier.
    pub(crate) fn owner(limit: u64, deadline: u64) -> TimeLimit {
        if limit < deadline & !OVER {
            TimeLimit::Layer
        } else {
            TimeLimit::Caller
        }
    }

    /// Returns whether the grace after this limit, or after an outer one, has begun.
    #[inline(always)]
    pub(super) fn is_over(&self) -> bool {
        self.get() & OVER != 0 || self.outer.is_some_and(Limit::is_over)
    }

    /// Sets the limit to `bound` until the returned guard is dropped, also by a panic.
    ///
    /// A middleware enters for each poll, not once from the first poll to the last. So the limits
    /// of futures that are polled in turns never mix, and a future dropped half way leaves nothing
    /// behind.
    #[inline(always)]
    pub(crate) fn enter(&self, bound: Bound) -> Within<'_, '_> {
        let former = self.get();
        // A grace that has begun in an outer layer applies here, too.
        self.set(bound.0 | former & OVER);
        Within {
            limit: self,
            former,
        }
    }

    /// Returns a wait for the limit, if there is one.
    pub(crate) fn due(&self) -> Option<Due> {
        let tick = self.get() & !OVER;
        (tick != NEVER).then(|| Due::new(tick))
    }

    #[inline(always)]
    fn set(&self, tick: u64) {
        self.tick.store(tick, Ordering::Relaxed);
    }
}

impl Clone for Limit<'_> {
    fn clone(&self) -> Self {
        Self {
            tick: PlainU64::new(self.get()),
            dispatch: PlainU64::new(self.dispatch.load(Ordering::Relaxed)),
            outer: self.outer,
        }
    }
}

/// A value for a [`Limit`], set by a middleware.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bound(u64);

impl Bound {
    #[inline(always)]
    pub(crate) fn until(tick: u64) -> Self {
        Self(tick & !OVER)
    }

    /// Returns this limit with a mark that the grace after the limit has begun.
    pub(crate) fn over(self) -> Self {
        Self(self.0 | OVER)
    }

    pub(crate) fn is_over(self) -> bool {
        self.0 & OVER != 0
    }

    pub(crate) fn has_passed(self, now: u64) -> bool {
        self.0 & !OVER <= now
    }
}

/// A guard that restores the former limit on drop.
#[must_use = "dropped, it puts the former limit back"]
pub(crate) struct Within<'l, 'p> {
    limit: &'l Limit<'p>,
    former: u64,
}

impl Drop for Within<'_, '_> {
    #[inline(always)]
    fn drop(&mut self) {
        self.limit.set(self.former);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Limit<'_> {
        fn within<T>(&self, bound: Bound, work: impl FnOnce() -> T) -> T {
            let _within = self.enter(bound);
            work()
        }
    }
    use std::panic::{AssertUnwindSafe, catch_unwind};

    #[test]
    fn a_limit_holds_while_its_work_runs() {
        let limit = Limit::NONE;
        limit.within(Bound::until(10), || {
            assert_eq!(limit.get(), 10);
            limit.within(Bound::until(4), || assert_eq!(limit.get(), 4));
            assert_eq!(limit.get(), 10);
        });
        assert_eq!(limit.get(), NEVER);
    }

    #[test]
    fn it_is_put_back_after_a_panic() {
        let limit = Limit::NONE;
        let panicking = || limit.within(Bound::until(10), || panic!("on purpose"));
        assert!(catch_unwind(AssertUnwindSafe(panicking)).is_err());
        assert_eq!(limit.get(), NEVER);
    }

    #[test]
    fn no_limit_is_never_over() {
        let limit = Limit::NONE;
        assert!(!limit.is_over());
        limit.within(Bound::until(NEVER), || {
            assert_eq!((limit.get(), limit.is_over()), (NEVER, false));
        });
        limit.within(Bound::until(u64::MAX), || assert!(!limit.is_over()));
    }

    #[test]
    fn a_grace_is_seen_from_every_limit_inside() {
        let limit = Limit::NONE;
        let derived = limit.nested();
        let seen = || (limit.is_over(), derived.is_over());
        limit.within(Bound::until(10), || assert_eq!(seen(), (false, false)));
        limit.within(Bound::until(10).over(), || {
            assert_eq!(seen(), (true, true));
            limit.within(Bound::until(6), || assert_eq!(seen(), (true, true)));
            derived.within(Bound::until(6), || assert_eq!(seen(), (true, true)));
        });
        assert_eq!(seen(), (false, false));
        limit.within(Bound::until(10), || assert_eq!(limit.derive(1).get(), 10));
        derived.within(Bound::until(6).over(), || assert_eq!(seen(), (false, true)));
    }
}
