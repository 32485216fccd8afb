//! Values and wakers that run test code when they are cloned, woken or dropped, and a time limit
//! for possible deadlocks.
#![allow(dead_code, reason = "each test file uses a part of this module")]
#![allow(
    unsafe_code,
    reason = "a waker whose clone runs code is made of raw parts"
)]

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::task::{Context as Task, Poll, RawWaker, RawWakerVTable, Waker};
use std::thread;
use std::time::Duration;

/// Runs `work` on its own thread, and fails after a time limit, where a deadlock would hang for
/// ever.
pub(crate) fn within_time(work: impl FnOnce() + Send + 'static) {
    let (tell, told) = channel();
    let thread = thread::spawn(move || {
        work();
        let _ = tell.send(());
    });
    match told.recv_timeout(Duration::from_secs(30)) {
        Err(RecvTimeoutError::Timeout) => panic!("it hangs: a lock is held while user code runs"),
        _ => thread
            .join()
            .unwrap_or_else(|payload| resume_unwind(payload)),
    }
}

thread_local! {
    static ACT: RefCell<Option<Rc<dyn Fn()>>> = const { RefCell::new(None) };
    static ACTS: Cell<u32> = const { Cell::new(0) };
}

/// Runs `act` at each later clone and drop of a [`Touchy`] on this thread, except those that `act`
/// itself makes.
pub(crate) fn on_touch(act: impl Fn() + 'static) {
    ACT.set(Some(Rc::new(act)));
}

/// Ends [`on_touch`], and returns how often `act` has run.
pub(crate) fn calm() -> u32 {
    // Dropped after its removal, because the drop may touch a value, too.
    drop(ACT.take());
    ACTS.replace(0)
}

fn touch() {
    // At the end of a thread the action is gone already.
    let Ok(Some(act)) = ACT.try_with(RefCell::take) else {
        return;
    };
    ACTS.set(ACTS.get() + 1);
    act();
    ACT.set(Some(act));
}

/// A value that runs the action when it is cloned and when it is dropped.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Touchy(pub(crate) u32);

impl Clone for Touchy {
    fn clone(&self) -> Self {
        touch();
        Self(self.0)
    }
}

impl Drop for Touchy {
    fn drop(&mut self) {
        touch();
    }
}

/// Test code that a waker runs when it is cloned, woken or dropped.
pub(crate) struct Hooks {
    pub(crate) clone: Box<dyn Fn() + Send + Sync>,
    pub(crate) wake: Box<dyn Fn() + Send + Sync>,
    pub(crate) drop: Box<dyn Fn() + Send + Sync>,
}

impl Default for Hooks {
    fn default() -> Self {
        Self {
            clone: Box::new(|| ()),
            wake: Box::new(|| ()),
            drop: Box::new(|| ()),
        }
    }
}

impl Hooks {
    /// Returns a waker. The strong count of the `Arc` counts its clones and drops: one for the
    /// owner, and one for each waker.
    pub(crate) fn waker(self: &Arc<Self>) -> Waker {
        // SAFETY: the functions of the table keep the contract of a waker around an `Arc<Hooks>`.
        unsafe { Waker::from_raw(raw(Arc::clone(self))) }
    }

    /// Returns the number of wakers that are alive now.
    pub(crate) fn wakers(self: &Arc<Self>) -> usize {
        Arc::strong_count(self) - 1
    }
}

/// Returns a waker that panics at its clone number `nth`, counted from 0, and the counter of its
/// clones.
pub(crate) fn panics_at_clone(nth: usize) -> (Arc<Hooks>, Arc<AtomicUsize>) {
    let clones = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&clones);
    let clone = move || {
        let before = count.fetch_add(1, Ordering::Relaxed);
        assert_ne!(before, nth, "a clone of the test");
    };
    let hooks = Hooks {
        clone: Box::new(clone),
        ..Hooks::default()
    };
    (Arc::new(hooks), clones)
}

/// Polls waiting futures, each with a waker that panics at another one of its clones. Asserts that
/// no waker is left once its future is dropped. Returns how often a waker is cloned.
pub(crate) fn each_clone_panics<F: Future + ?Sized>(
    make: impl Fn() -> Pin<Box<F>>,
    check: impl Fn(),
) -> usize {
    let is_beyond_the_last = |nth: &usize| {
        let (hooks, clones) = panics_at_clone(*nth);
        let (waker, mut future) = (hooks.waker(), make());
        let _ = poll_caught(future.as_mut(), &waker);
        drop(future);
        drop(waker);
        assert_eq!(hooks.wakers(), 0, "clone {nth} panicked, and a waker stays");
        check();
        clones.load(Ordering::Relaxed) <= *nth
    };
    (0..).find(is_beyond_the_last).expect("it waits")
}

/// Polls a future, and returns `None` if the poll panicked.
pub(crate) fn poll_caught<F: Future + ?Sized>(
    future: Pin<&mut F>,
    waker: &Waker,
) -> Option<Poll<F::Output>> {
    let poll = || future.poll(&mut Task::from_waker(waker));
    catch_unwind(AssertUnwindSafe(poll)).ok()
}

/// Returns a waker that counts its wake-ups.
pub(crate) fn counting() -> (Waker, Arc<AtomicUsize>) {
    let wakes = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&wakes);
    let hooks = Hooks {
        wake: Box::new(move || {
            count.fetch_add(1, Ordering::Relaxed);
        }),
        ..Hooks::default()
    };
    (Arc::new(hooks).waker(), wakes)
}

static TABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake_by_ref, drop_it);

fn raw(hooks: Arc<Hooks>) -> RawWaker {
    RawWaker::new(Arc::into_raw(hooks).cast(), &TABLE)
}

/// Returns another share of the hooks of a waker, which keeps its own share.
unsafe fn hooks(data: *const ()) -> Arc<Hooks> {
    let data = data.cast::<Hooks>();
    // SAFETY: `data` was made by `raw`, and the calling waker is alive.
    unsafe { Arc::increment_strong_count(data) };
    // SAFETY: the increment above is for this share, which `from_raw` takes over.
    unsafe { Arc::from_raw(data) }
}

unsafe fn clone(data: *const ()) -> RawWaker {
    // SAFETY: called by a waker, which is alive during the call.
    let hooks = unsafe { hooks(data) };
    (hooks.clone)();
    raw(hooks)
}

unsafe fn wake(data: *const ()) {
    // SAFETY: called by a waker, which gives its share up with this call.
    let hooks = unsafe { Arc::from_raw(data.cast::<Hooks>()) };
    (hooks.wake)();
}

unsafe fn wake_by_ref(data: *const ()) {
    // SAFETY: called by a waker, which is alive during the call.
    let hooks = unsafe { hooks(data) };
    (hooks.wake)();
}

unsafe fn drop_it(data: *const ()) {
    // SAFETY: called by a waker, which gives its share up with this call.
    let hooks = unsafe { Arc::from_raw(data.cast::<Hooks>()) };
    (hooks.drop)();
}

/// Shuffles `items` into an order that is equal in each run.
pub(crate) fn shuffle<T>(items: &mut [T]) {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for last in (1..items.len()).rev() {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        items.swap(last, (state >> 33) as usize % (last + 1));
    }
}
