//! Cancellation: a flag that any holder may raise once, and the futures and threads that wait for
//! it.
//!
//! No wake-up is lost. The canceller raises the flag and takes the waiters under one lock, and a
//! waiter checks the flag under that lock when registering. So a waiter is either in the list that
//! the canceller takes, or sees the flag. Wakers run, are cloned and are dropped outside the lock,
//! because they are user code.

use crate::sync::fork_safe::{Condvar, Mutex};
use crate::sync::{Arc, AtomicBool, AtomicUsize, KeptWaker, Ordering};
use std::any::Any;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// Tells a dispatch that its caller no longer wants the reply.
///
/// Clones share one state, so cancelling one of them cancels all, and there is no way back.
///
/// ```
/// use arcbus::CancelToken;
///
/// let token = CancelToken::new();
/// let other = token.clone();
/// other.cancel();
/// assert!(token.is_cancelled());
/// ```
#[derive(Clone)]
pub struct CancelToken {
    source: Source,
}

#[derive(Clone)]
enum Source {
    Native(Handle),
    #[cfg(feature = "tokio-util")]
    Tokio(tokio_util::sync::CancellationToken),
}

impl CancelToken {
    /// Creates a token that is not cancelled, which allocates once.
    #[must_use]
    pub fn new() -> Self {
        let source = Source::Native(Handle::new());
        Self { source }
    }

    /// Cancels the token and wakes every waiter. Further calls do nothing.
    ///
    /// # Panics
    ///
    /// If a waker panics, with the payload of that panic, after all other waiters were woken.
    pub fn cancel(&self) {
        match &self.source {
            Source::Native(shared) => shared.cancel(),
            #[cfg(feature = "tokio-util")]
            Source::Tokio(token) => token.cancel(),
        }
    }

    /// Returns whether the token is cancelled, with one atomic load.
    ///
    /// Everything written before the call of [`cancel`](Self::cancel) is visible after this method
    /// returns `true`. (A token of tokio-util takes its lock here.)
    #[must_use]
    #[inline]
    pub fn is_cancelled(&self) -> bool {
        match &self.source {
            Source::Native(shared) => shared.flag.is_raised(),
            #[cfg(feature = "tokio-util")]
            Source::Tokio(token) => token.is_cancelled(),
        }
    }

    /// Returns whether this token is a clone of `other`.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        match (&self.source, &other.source) {
            (Source::Native(one), Source::Native(other)) => Arc::ptr_eq(&one.0, &other.0),
            #[cfg(feature = "tokio-util")]
            (Source::Tokio(one), Source::Tokio(other)) => one == other,
            #[cfg(feature = "tokio-util")]
            _ => false,
        }
    }

    /// Returns whether the token has exactly `clones` clones, none of which was ever cancelled.
    /// Returns `false` for a token of tokio-util, which does not tell.
    pub(super) fn is_left_to(&self, clones: usize) -> bool {
        match &self.source {
            Source::Native(handle) => handle.count() == clones && !self.is_cancelled(),
            #[cfg(feature = "tokio-util")]
            Source::Tokio(_) => false,
        }
    }

    /// Waits for the cancellation without holding a thread.
    ///
    /// The future may be dropped at any time, and then leaves nothing behind.
    pub fn cancelled(&self) -> Cancelled<'_> {
        Cancelled {
            watch: CancelWatch::new(self.clone()),
            token: PhantomData,
        }
    }

    /// Blocks the thread until the token is cancelled, however long that takes.
    pub fn wait(&self) {
        self.wait_until(None);
    }

    /// Blocks the thread until the token is cancelled or `timeout` of real time has passed. Returns
    /// whether the token was cancelled. A timeout too long for the clock never ends.
    ///
    /// ```
    /// use arcbus::CancelToken;
    /// use std::time::Duration;
    ///
    /// let token = CancelToken::new();
    /// assert!(!token.wait_timeout(Duration::from_millis(1)));
    /// token.cancel();
    /// assert!(token.wait_timeout(Duration::ZERO));
    /// ```
    pub fn wait_timeout(&self, timeout: Duration) -> bool {
        self.wait_until(Instant::now().checked_add(timeout))
    }

    fn wait_until(&self, deadline: Option<Instant>) -> bool {
        match &self.source {
            Source::Native(shared) => shared.wait_until(deadline),
            #[cfg(feature = "tokio-util")]
            Source::Tokio(_) => tokio::park_until(self.clone(), deadline),
        }
    }
}

impl Default for CancelToken {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for CancelToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CancelToken")
            .field("cancelled", &self.is_cancelled())
            .finish()
    }
}

/// The future of [`CancelToken::cancelled`]: ready once the token is cancelled, and from then on.
#[derive(Debug)]
#[must_use = "a future does nothing unless it is polled"]
pub struct Cancelled<'a> {
    watch: CancelWatch,
    token: PhantomData<&'a CancelToken>,
}

impl Future for Cancelled<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.watch.poll(cx.waker()) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}

/// A waker registered with a token, which is deregistered when the watch drops.
pub(crate) struct CancelWatch {
    watched: Watched,
}

enum Watched {
    Native(Seat),
    #[cfg(feature = "tokio-util")]
    Tokio(tokio::Watch),
}

impl CancelWatch {
    /// Creates a watch that registers with the token at its first [`poll`](Self::poll), and not
    /// before.
    pub(crate) fn new(token: CancelToken) -> Self {
        let watched = match token.source {
            Source::Native(handle) => Watched::Native(Seat::new(Arc::clone(&handle.0))),
            #[cfg(feature = "tokio-util")]
            Source::Tokio(token) => Watched::Tokio(tokio::watch(token)),
        };
        Self { watched }
    }

    /// Registers the waker, or replaces the registered one unless both wake one task. Returns
    /// `true` if the token is already cancelled.
    pub(crate) fn poll(&mut self, waker: &Waker) -> bool {
        match &mut self.watched {
            Watched::Native(seat) => seat.poll(waker),
            #[cfg(feature = "tokio-util")]
            Watched::Tokio(watch) => watch
                .as_mut()
                .poll(&mut Context::from_waker(waker))
                .is_ready(),
        }
    }
}

impl fmt::Debug for CancelWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CancelWatch").finish_non_exhaustive()
    }
}

/// The place of one waiter in the list of a token.
struct Seat {
    shared: Arc<Shared>,
    taken: Option<Taken>,
}

/// An index in the list, and a copy of the waker stored there.
struct Taken {
    slot: usize,
    /// Compared without the lock: polling with an unchanged waker costs no more than the flag.
    waker: KeptWaker,
}

impl Seat {
    fn new(shared: Arc<Shared>) -> Self {
        let taken = None;
        Self { shared, taken }
    }

    fn poll(&mut self, waker: &Waker) -> bool {
        if self.shared.flag.is_raised() {
            return true;
        }
        match &self.taken {
            Some(taken) if taken.waker.will_wake(waker) => false,
            _ => !self.register(waker),
        }
    }

    /// Registers the waker, or returns `false` if the token was cancelled in the meantime.
    fn register(&mut self, waker: &Waker) -> bool {
        // Make both copies before either is kept, because a clone may panic.
        let (compared, kept) = (KeptWaker::of(waker), KeptWaker::of(waker));
        let slot = self.taken.as_ref().map(|taken| taken.slot);
        let slot = self.shared.register(slot, kept);
        let taken = slot.map(|slot| Taken {
            slot,
            waker: compared,
        });
        let is_registered = taken.is_some();
        self.taken = taken;
        is_registered
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Some(taken) = &self.taken {
            drop(self.shared.deregister(taken.slot));
        }
    }
}

/// A clone of a token, which can cancel, and is counted apart from the waiters.
struct Handle(Arc<Shared>);

impl Handle {
    fn new() -> Self {
        Self(Arc::new(Shared::new()))
    }

    /// Acquire: pairs with the Release in the drop of another handle. If that handle is gone, its
    /// cancellation is visible. Model: `waiting`,
    /// `a_token_that_was_cancelled_and_dropped_is_handed_on`.
    fn count(&self) -> usize {
        self.0.handles.load(Ordering::Acquire)
    }
}

impl Deref for Handle {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl Clone for Handle {
    fn clone(&self) -> Self {
        // Relaxed, like the count of an `Arc`.
        self.0.handles.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(&self.0))
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // Release: pairs with the Acquire in `count`.
        self.0.handles.fetch_sub(1, Ordering::Release);
    }
}

/// State shared by the clones of a token.
struct Shared {
    handles: AtomicUsize,
    flag: Flag,
    // Invariant: empty once the flag is raised.
    waiters: Mutex<Waiters>,
    /// Notifies blocked threads, which wait here with the lock of `waiters`.
    raised: Condvar,
}

impl Shared {
    fn new() -> Self {
        Self {
            handles: AtomicUsize::new(1),
            flag: Flag::new(),
            waiters: Mutex::new(Waiters::default()),
            raised: Condvar::new(),
        }
    }

    /// Raises the flag and wakes all waiters, of which a second call finds none.
    fn cancel(&self) {
        let waiters = {
            let mut waiters = self.waiters.lock();
            self.flag.raise();
            std::mem::take(&mut *waiters)
        };
        self.raised.notify_all();
        waiters.wake();
    }

    /// Stores the waker in its slot, or in a new slot. Returns `None` if the token is cancelled.
    fn register(&self, slot: Option<usize>, waker: KeptWaker) -> Option<usize> {
        let mut waiters = self.waiters.lock();
        // Checked again under the lock: a canceller that comes later finds the waker.
        if self.flag.is_raised() {
            drop(waiters);
            drop(waker);
            return None;
        }
        let (slot, old) = waiters.put(slot, waker);
        drop(waiters);
        drop(old);
        Some(slot)
    }

    /// Removes and returns the waker, so that the caller drops it outside the lock. Returns `None`
    /// after a cancellation: the canceller took the list, and no slot is given out again.
    fn deregister(&self, slot: usize) -> Option<KeptWaker> {
        self.waiters.lock().remove(slot)
    }

    fn wait_until(&self, deadline: Option<Instant>) -> bool {
        let mut waiters = self.waiters.lock();
        while !self.flag.is_raised() {
            let Some(deadline) = deadline else {
                waiters = self.raised.wait(waiters);
                continue;
            };
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            (waiters, _) = self.raised.wait_for(waiters, left);
        }
        true
    }
}

/// A flag that is raised once and stays up.
struct Flag(AtomicBool);

impl Flag {
    fn new() -> Self {
        Self(AtomicBool::new(false))
    }

    /// Release: pairs with the Acquire in [`is_raised`](Self::is_raised). A reader that sees the
    /// flag also sees everything the canceller did before. Model: `waiting`,
    /// `a_check_sees_what_the_canceller_did`.
    fn raise(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Acquire: pairs with the Release in [`raise`](Self::raise). Under the lock of the waiters the
    /// result is also the latest one. Model: `waiting`.
    #[inline]
    fn is_raised(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// Registered wakers, in slots that are reused: in a steady state nothing is allocated.
#[derive(Default)]
struct Waiters {
    slots: Vec<Option<KeptWaker>>,
    // Invariant: exactly the indices of the empty slots, each once.
    free: Vec<usize>,
}

impl Waiters {
    fn put(&mut self, slot: Option<usize>, waker: KeptWaker) -> (usize, Option<KeptWaker>) {
        let slot = slot
            .or_else(|| self.free.pop())
            .unwrap_or_else(|| self.grow());
        (slot, self.slots[slot].replace(waker))
    }

    fn grow(&mut self) -> usize {
        self.slots.push(None);
        self.slots.len() - 1
    }

    fn remove(&mut self, slot: usize) -> Option<KeptWaker> {
        let waker = self.slots.get_mut(slot)?.take()?;
        self.free.push(slot);
        Some(waker)
    }

    /// Wakes every waiter even if a waker panics, then resumes the first panic.
    fn wake(self) {
        let mut panic: Option<Box<dyn Any + Send>> = None;
        let wakers = self.slots.into_iter().flatten();
        for waker in wakers.filter_map(KeptWaker::into_waker) {
            if let Err(payload) = catch_unwind(AssertUnwindSafe(|| waker.wake())) {
                match panic {
                    None => panic = Some(payload),
                    // The drop of the payload could panic, too.
                    Some(_) => std::mem::forget(payload),
                }
            }
        }
        if let Some(payload) = panic {
            resume_unwind(payload);
        }
    }
}

/// Conversion from and waiting on the token of tokio-util.
#[cfg(feature = "tokio-util")]
mod tokio {
    use super::{CancelToken, CancelWatch, Source};
    use crate::clock::Clock;
    use crate::sync::Parker;
    use std::pin::Pin;
    use std::time::Instant;
    use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

    pub(super) type Watch = Pin<Box<WaitForCancellationFutureOwned>>;

    pub(super) fn watch(token: CancellationToken) -> Watch {
        Box::pin(token.cancelled_owned())
    }

    /// Converts a token of tokio-util. Both tokens then share one state, so that cancelling either
    /// of them cancels both.
    impl From<CancellationToken> for CancelToken {
        fn from(token: CancellationToken) -> Self {
            let source = Source::Tokio(token);
            Self { source }
        }
    }

    /// Returns whether the token was cancelled before `deadline`.
    pub(super) fn park_until(token: CancelToken, deadline: Option<Instant>) -> bool {
        let (parker, clock) = (Parker::new(), Clock::shared());
        let waker = parker.waker();
        let tick = deadline.map(|deadline| clock.tick_of(deadline));
        let mut alarm = tick.map(|tick| clock.arm_parked(tick, &waker));
        let mut watch = CancelWatch::new(token);
        while !watch.poll(&waker) {
            if tick.is_some_and(|tick| clock.ticks() >= tick) {
                return false;
            }
            if let Some(alarm) = &mut alarm {
                alarm.update(&waker);
            }
            parker.park();
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::{Parker, PlainU64, thread};
    use std::task::Wake;

    const SHORT: Duration = Duration::from_millis(20);
    const LONG: Duration = Duration::from_secs(20);

    #[derive(Default)]
    struct Count(PlainU64);

    impl Count {
        fn woken(&self) -> u64 {
            self.0.load(Ordering::Acquire)
        }
    }

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Release);
        }
    }

    fn counter() -> (Arc<Count>, Waker) {
        let count = Arc::new(Count::default());
        (count.clone(), Waker::from(count))
    }

    fn native(token: &CancelToken) -> &Shared {
        match &token.source {
            Source::Native(shared) => shared,
            #[cfg(feature = "tokio-util")]
            Source::Tokio(_) => unreachable!("the test made a native token"),
        }
    }

    /// Returns the number of registered wakers, and the number of slots.
    fn waiting(token: &CancelToken) -> (usize, usize) {
        let waiters = native(token).waiters.lock();
        let taken = waiters.slots.iter().flatten().count();
        assert_eq!(waiters.slots.len() - taken, waiters.free.len());
        (taken, waiters.slots.len())
    }

    struct Panics;

    impl Wake for Panics {
        fn wake(self: Arc<Self>) {
            panic!("a waker of the test");
        }
    }

    fn block_on(future: impl Future<Output = ()>) {
        let mut future = std::pin::pin!(future);
        let parker = Parker::new();
        let waker = parker.waker();
        let mut cx = Context::from_waker(&waker);
        while future.as_mut().poll(&mut cx).is_pending() {
            parker.park();
        }
    }

    #[test]
    fn clones_share_one_state() {
        let token = CancelToken::default();
        let clone = token.clone();
        assert!(!clone.is_cancelled());
        token.cancel();
        token.cancel();
        assert!(clone.is_cancelled());
        assert_eq!(format!("{token:?}"), "CancelToken { cancelled: true }");
    }

    #[test]
    fn types_cross_threads() {
        static_assertions::assert_impl_all!(CancelToken: Send, Sync);
        static_assertions::assert_impl_all!(Cancelled<'static>: Send, Unpin);
        static_assertions::assert_impl_all!(CancelWatch: Send, Unpin);
    }

    #[test]
    fn a_cancelled_token_is_ready_at_once_and_registers_nothing() {
        let token = CancelToken::new();
        token.cancel();
        let (count, waker) = counter();
        assert!(CancelWatch::new(token.clone()).poll(&waker));
        assert_eq!((count.woken(), waiting(&token)), (0, (0, 0)));
        block_on(token.cancelled());
    }

    #[test]
    fn cancel_wakes_and_stays_ready() {
        let token = CancelToken::new();
        let (count, waker) = counter();
        let mut watch = CancelWatch::new(token.clone());
        assert!(!watch.poll(&waker));
        token.cancel();
        token.cancel();
        assert_eq!(count.woken(), 1);
        assert!(watch.poll(&waker) && watch.poll(&waker));
    }

    #[test]
    fn nothing_is_registered_before_the_first_poll() {
        let token = CancelToken::new();
        let _future = token.cancelled();
        assert_eq!(waiting(&token), (0, 0));
    }

    #[test]
    fn drop_deregisters_and_the_slot_is_used_again() {
        let token = CancelToken::new();
        let (count, waker) = counter();
        for _ in 0..10 {
            let mut watch = CancelWatch::new(token.clone());
            assert!(!watch.poll(&waker));
            assert_eq!(waiting(&token), (1, 1));
        }
        assert_eq!(waiting(&token), (0, 1));
        token.cancel();
        assert_eq!(count.woken(), 0);
        assert_eq!(Arc::strong_count(&count), 2, "a waker was left behind");
    }

    #[test]
    fn a_new_waker_takes_the_place_of_the_old() {
        let token = CancelToken::new();
        let (old, old_waker) = counter();
        let (new, new_waker) = counter();
        let mut watch = CancelWatch::new(token.clone());
        assert!(!watch.poll(&old_waker));
        assert!(!watch.poll(&new_waker));
        assert!(!watch.poll(&new_waker));
        assert_eq!(waiting(&token), (1, 1));
        assert_eq!(Arc::strong_count(&old), 2, "the old waker was kept");
        token.cancel();
        assert_eq!((old.woken(), new.woken()), (0, 1));
    }

    #[test]
    fn a_drop_after_the_cancellation_touches_nobody_else() {
        let token = CancelToken::new();
        let (count, waker) = counter();
        let mut watches: Vec<_> = (0..4).map(|_| CancelWatch::new(token.clone())).collect();
        assert!(watches.iter_mut().all(|watch| !watch.poll(&waker)));
        token.cancel();
        drop(watches);
        assert_eq!((count.woken(), waiting(&token)), (4, (0, 0)));
    }

    #[test]
    fn many_waiters_come_and_go_and_those_left_are_woken() {
        let token = CancelToken::new();
        let (count, waker) = counter();
        let mut watches: Vec<_> = (0..100).map(|_| CancelWatch::new(token.clone())).collect();
        assert!(watches.iter_mut().all(|watch| !watch.poll(&waker)));
        let mut nth = 0;
        watches.retain(|_| {
            nth += 1;
            nth % 3 == 0
        });
        assert_eq!(waiting(&token), (33, 100));
        watches.extend((0..20).map(|_| CancelWatch::new(token.clone())));
        assert!(watches.iter_mut().all(|watch| !watch.poll(&waker)));
        assert_eq!(waiting(&token), (53, 100));
        token.cancel();
        assert_eq!(count.woken(), 53);
    }

    #[test]
    fn a_panicking_waker_does_not_keep_the_others_from_waking() {
        let token = CancelToken::new();
        let (count, waker) = counter();
        let wakers = [waker.clone(), Waker::from(Arc::new(Panics)), waker];
        let mut watches: Vec<_> = wakers
            .iter()
            .map(|_| CancelWatch::new(token.clone()))
            .collect();
        for (watch, waker) in watches.iter_mut().zip(&wakers) {
            assert!(!watch.poll(waker));
        }
        let payload = catch_unwind(AssertUnwindSafe(|| token.cancel())).unwrap_err();
        assert_eq!(payload.downcast_ref(), Some(&"a waker of the test"));
        assert_eq!(count.woken(), 2);
        assert!(token.is_cancelled());
    }

    #[test]
    fn another_thread_wakes_the_future() {
        let token = CancelToken::new();
        thread::scope(|scope| {
            scope.spawn(|| {
                thread::sleep(SHORT);
                token.cancel();
            });
            block_on(token.cancelled());
        });
        assert!(token.is_cancelled());
    }

    #[test]
    fn no_wake_up_is_lost_when_register_and_cancel_race() {
        for _ in 0..500 {
            let token = CancelToken::new();
            thread::scope(|scope| {
                let waiters = (0..2).map(|_| scope.spawn(|| block_on(token.cancelled())));
                let waiters: Vec<_> = waiters.collect();
                token.cancel();
                waiters
                    .into_iter()
                    .for_each(|waiter| waiter.join().unwrap());
            });
        }
    }

    #[test]
    fn threads_wait() {
        let token = CancelToken::new();
        thread::scope(|scope| {
            scope.spawn(|| token.wait());
            scope.spawn(|| assert!(token.wait_timeout(LONG)));
            scope.spawn(|| assert!(token.wait_timeout(Duration::MAX)));
            thread::sleep(SHORT);
            token.cancel();
        });
        token.wait();
        assert!(token.wait_timeout(Duration::ZERO));
    }

    #[test]
    fn a_timeout_passes() {
        let token = CancelToken::new();
        assert!(!token.wait_timeout(Duration::ZERO));
        let start = Instant::now();
        assert!(!token.wait_timeout(SHORT));
        assert!(start.elapsed() >= SHORT);
    }

    #[cfg(feature = "tokio-util")]
    mod with_tokio_util {
        use super::*;
        use tokio_util::sync::CancellationToken;

        #[test]
        fn the_two_are_one() {
            let theirs = CancellationToken::new();
            let ours = CancelToken::from(theirs.clone());
            assert!(!ours.is_cancelled());
            ours.cancel();
            assert!(theirs.is_cancelled() && ours.is_cancelled());
            block_on(ours.cancelled());
            ours.wait();
        }

        #[test]
        fn their_cancellation_wakes_us_and_stays_ready() {
            let theirs = CancellationToken::new();
            let (count, waker) = counter();
            let mut watch = CancelWatch::new(theirs.clone().into());
            assert!(!watch.poll(&waker));
            drop({
                let mut dropped = CancelWatch::new(theirs.clone().into());
                assert!(!dropped.poll(&waker));
                dropped
            });
            theirs.cancel();
            assert_eq!(count.woken(), 1);
            assert!(watch.poll(&waker) && watch.poll(&waker));
        }

        #[test]
        fn threads_wait() {
            let ours = CancelToken::from(CancellationToken::new());
            assert!(!ours.wait_timeout(SHORT));
            thread::scope(|scope| {
                scope.spawn(|| ours.wait());
                scope.spawn(|| assert!(ours.wait_timeout(LONG)));
                thread::sleep(SHORT);
                ours.cancel();
            });
        }
    }
}
