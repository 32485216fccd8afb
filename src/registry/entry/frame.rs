//! Frames: where the future of a pipeline lives while it is polled through an erased route.
//!
//! A future must not move once it was polled, and its type is known only inside the call that makes
//! it. So that call takes a block of memory from the [pool](super::pool), builds the future and the
//! context it borrows there, and polls it. A ready one is dropped and its block given back before the
//! call returns; a pending one stays in its block until it is done or dropped.

use std::alloc::Layout;
use std::marker::PhantomData;
use std::mem::{self, MaybeUninit};
use std::pin::Pin;
use std::ptr::{self, NonNull};
use std::task::{self, Poll};

use super::{Entry, Route, pool};
use crate::clock::Clock;
use crate::context::{Context, Watch};
use crate::error::{Error, Outcome};
use crate::message::Message;
use crate::pipeline::{Next, poll_bounded};

/// Where the awaiting entry puts what it has to give. The message tells what that is apart, in a
/// register: a tag in memory, written as a byte and read as a word, is what the caller would wait for.
pub(super) struct Out<M: Message> {
    reply: MaybeUninit<M::Reply>,
    error: MaybeUninit<Error<M::Error>>,
    frame: MaybeUninit<RawFrame<M>>,
}

/// Which part of [`Out`] the awaiting entry has written.
pub(super) enum Wrote {
    Reply,
    Error,
    Frame,
}

impl<M: Message> Out<M> {
    #[inline(always)]
    pub(super) fn new() -> Self {
        Self {
            reply: MaybeUninit::uninit(),
            error: MaybeUninit::uninit(),
            frame: MaybeUninit::uninit(),
        }
    }
}

/// A pending pipeline in its block.
pub(super) struct RawFrame<M: Message> {
    /// Invariant: a `Running<F>` made by [`start`], alive and never moved.
    running: NonNull<()>,
    /// Invariant: made for that `F`.
    calls: &'static FrameCalls<M>,
}

struct FrameCalls<M: Message> {
    poll: unsafe fn(NonNull<()>, &mut task::Context<'_>) -> Poll<Outcome<M>>,
    drop: unsafe fn(NonNull<()>),
}

/// A pipeline's future with what it borrows. Dropped in this order.
struct Running<'r, F> {
    future: F,
    watch: Option<Box<Watch>>,
    cx: Context<'r>,
}

/// What a start ended in: the outcome, or a pipeline that waits.
pub(crate) enum Launch<'a, M: Message> {
    Ready(Outcome<M>),
    Pending(Frame<'a, M>),
}

impl<'a, M: Message> Launch<'a, M> {
    /// # Safety
    ///
    /// `out` was written to by a [`start`] of `entry`'s route, which returned `wrote`; `'a` outlives
    /// nothing of what the started context borrows.
    #[inline(always)]
    pub(super) unsafe fn new(wrote: Wrote, out: Out<M>, entry: &Entry) -> Self {
        match wrote {
            // SAFETY: `start` wrote it.
            Wrote::Reply => Self::Ready(Ok(unsafe { out.reply.assume_init() })),
            // SAFETY: `start` wrote it.
            Wrote::Error => Self::Ready(Err(unsafe { out.error.assume_init() })),
            Wrote::Frame => Self::Pending(Frame {
                // SAFETY: `start` wrote it.
                raw: unsafe { out.frame.assume_init() },
                _route: entry.clone(),
                _borrows: PhantomData,
            }),
        }
    }
}

/// A pending pipeline, together with its share of the route it runs in.
pub(crate) struct Frame<'a, M: Message> {
    raw: RawFrame<M>,
    /// Dropped after the pipeline's future, which borrows from the route.
    _route: Entry,
    _borrows: PhantomData<&'a ()>,
}

// SAFETY: a frame owns a pipeline's future, which is `Send` by the signature of `Next::run`, a
// context and a watch, which are `Send`, and a share of a route, which is `Send`.
unsafe impl<M: Message> Send for Frame<'_, M> {}

impl<M: Message> Frame<'_, M> {
    /// Polls the pipeline. Not to be called again after it was ready.
    pub(crate) fn poll(&mut self, task: &mut task::Context<'_>) -> Poll<Outcome<M>> {
        // SAFETY: the invariants of `RawFrame`; `&mut self` makes it the only access.
        unsafe { (self.raw.calls.poll)(self.raw.running, task) }
    }
}

impl<M: Message> Drop for Frame<'_, M> {
    fn drop(&mut self) {
        // SAFETY: the invariants of `RawFrame`; nothing uses the frame after its drop.
        unsafe { (self.raw.calls.drop)(self.raw.running) }
    }
}

/// The awaiting entry.
///
/// # Safety
///
/// `route` points to a `Route<P>` that lives through the call, and until the frame is dropped if one
/// is returned; so do `clock` and what `cx` borrows.
pub(super) unsafe fn start<'a, M: Message, P: Next<M>>(
    route: NonNull<()>,
    msg: &mut Option<M>,
    cx: Option<&mut Context<'a>>,
    clock: &'a Clock,
    task: &mut task::Context<'_>,
    out: &mut Out<M>,
) -> Wrote {
    // SAFETY: the caller's promise.
    let route = unsafe { route.cast::<Route<P>>().as_ref() };
    let Some(msg) = msg.take() else {
        unreachable!("a dispatch is started once, with its message");
    };
    let block = match cx {
        Some(cx) => WithContext::new(|| mem::take(cx)),
        None => WithContext::new(|| Context::root(clock)),
    };
    run::<M, _>(block, task, out, |cx| route.pipeline.run(msg, cx))
}

/// Makes the future in `block` and polls it once.
#[inline(always)]
fn run<'r, M: Message, F: Future<Output = Outcome<M>> + 'r>(
    block: WithContext<'r, F>,
    task: &mut task::Context<'_>,
    out: &mut Out<M>,
    make: impl FnOnce(&'r Context<'r>) -> F,
) -> Wrote {
    let mut running = block.fill(make);
    match running.poll::<M>(task) {
        Poll::Ready(Ok(reply)) => {
            out.reply.write(reply);
            Wrote::Reply
        }
        Poll::Ready(Err(error)) => {
            out.error.write(error);
            Wrote::Error
        }
        Poll::Pending => {
            out.frame.write(running.into_raw());
            Wrote::Frame
        }
    }
}

/// A block that holds a context and has room for the future: gives both back if making it panics.
struct WithContext<'r, F>(NonNull<Running<'r, F>>);

impl<'r, F> WithContext<'r, F> {
    /// Makes the context when the block is there, so that it is made in its place.
    #[inline(always)]
    fn new(cx: impl FnOnce() -> Context<'r>) -> Self {
        let block = pool::take(Layout::new::<Running<'r, F>>()).cast::<Running<'r, F>>();
        // SAFETY: the block is valid for a `Running`, so its field is in bounds.
        let place = unsafe { &raw mut (*block.as_ptr()).cx };
        // SAFETY: in bounds and aligned, and nothing was there.
        unsafe { place.write(cx()) };
        Self(block)
    }

    #[inline(always)]
    fn fill(self, make: impl FnOnce(&'r Context<'r>) -> F) -> Filled<'r, F> {
        let running = self.0.as_ptr();
        // SAFETY: `new` wrote the context. It stays where it is until the future that borrows it is
        // dropped: `Running` drops the future first.
        let future = make(unsafe { &(*running).cx });
        mem::forget(self);
        // SAFETY: the block is valid for a `Running`, so its field is in bounds.
        let place = unsafe { &raw mut (*running).future };
        // SAFETY: in bounds and aligned, and nothing was there.
        unsafe { place.write(future) };
        // SAFETY: as above.
        let place = unsafe { &raw mut (*running).watch };
        // SAFETY: as above.
        unsafe { place.write(None) };
        // SAFETY: a pointer from `NonNull`.
        Filled(unsafe { NonNull::new_unchecked(running) })
    }
}

impl<F> Drop for WithContext<'_, F> {
    #[cold]
    fn drop(&mut self) {
        // SAFETY: the block is valid for a `Running`, so its field is in bounds.
        let cx = unsafe { &raw mut (*self.0.as_ptr()).cx };
        // SAFETY: `new` wrote it, and `fill` forgets `self` before the block is filled.
        unsafe { ptr::drop_in_place(cx) };
        give::<F>(self.0);
    }
}

/// A block with a whole [`Running`] in it; drops it and gives the block back.
struct Filled<'r, F>(NonNull<Running<'r, F>>);

impl<F> Filled<'_, F> {
    #[inline(always)]
    fn poll<M: Message>(&mut self, task: &mut task::Context<'_>) -> Poll<Outcome<M>>
    where
        F: Future<Output = Outcome<M>>,
    {
        // SAFETY: filled, and `&mut self` makes it the only access but for the future's own borrow
        // of `cx`, which is shared here too.
        let Running { future, watch, cx } = unsafe { self.0.as_mut() };
        // SAFETY: the future stays in its block until it is dropped there.
        let future = unsafe { Pin::new_unchecked(future) };
        poll_bounded::<M>(future, cx, watch, task)
    }

    fn into_raw<M: Message>(self) -> RawFrame<M>
    where
        F: Future<Output = Outcome<M>>,
    {
        let running = self.0.cast();
        mem::forget(self);
        RawFrame {
            running,
            calls: FrameCalls::of::<F>(),
        }
    }
}

impl<F> Drop for Filled<'_, F> {
    #[inline(always)]
    fn drop(&mut self) {
        let block = GiveBack(self.0);
        // SAFETY: filled, and nothing uses it after this.
        unsafe { ptr::drop_in_place(block.0.as_ptr()) };
    }
}

/// Gives a block back, also when dropping what was in it panics.
struct GiveBack<'r, F>(NonNull<Running<'r, F>>);

impl<F> Drop for GiveBack<'_, F> {
    #[inline(always)]
    fn drop(&mut self) {
        give::<F>(self.0);
    }
}

#[inline(always)]
fn give<F>(block: NonNull<Running<'_, F>>) {
    // SAFETY: every block comes from `take` with this layout, and its content is gone.
    unsafe { pool::give(block.cast(), Layout::new::<Running<'_, F>>()) };
}

impl<M: Message> FrameCalls<M> {
    const fn of<F: Future<Output = Outcome<M>>>() -> &'static Self {
        &Self {
            poll: poll::<M, F>,
            drop: drop_frame::<F>,
        }
    }
}

/// # Safety
///
/// `running` is a filled block with a future `F`, and this the only access to it.
unsafe fn poll<M: Message, F: Future<Output = Outcome<M>>>(
    running: NonNull<()>,
    task: &mut task::Context<'_>,
) -> Poll<Outcome<M>> {
    mem::ManuallyDrop::new(Filled::<F>(running.cast())).poll::<M>(task)
}

/// # Safety
///
/// `running` is a filled block with a future `F`, and is not used again.
unsafe fn drop_frame<F>(running: NonNull<()>) {
    drop(Filled::<F>(running.cast()));
}
