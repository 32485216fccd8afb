//! The erasure: routes of any message in one table, each opened with its own type again.
//!
//! This is a room where `unsafe` is allowed. Its proof: [`Entries`] files an [`Entry`] under the
//! `TypeId` that the entry was made with, [`Entry::new`] is the only way to make one, and it takes
//! the calls and the pipeline of the same message type; so what is found under `TypeId::of::<M>()`
//! was made from a pipeline of `M`.
#![allow(unsafe_code)]

use std::any::TypeId;
use std::collections::{HashMap, TryReserveError};
use std::fmt;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ptr::NonNull;
use std::task;

use ahash::RandomState;

use crate::clock::Clock;
use crate::context::Context;
use crate::message::Message;
use crate::outcome::Outcome;
use crate::pipeline::{Next, RouteInfo, edge};
use crate::random::random_state;
use crate::sync::{Arc, arc_dyn};

mod frame;
mod pool;

use frame::Started;
pub(crate) use frame::{Frame, Launch, Out, Written};

/// One registered route with its type erased. A clone shares the route.
#[derive(Clone)]
pub(crate) struct Entry {
    /// Invariant: points to the `Route<M, P>` that `owner` owns, for the `M` of `owner.message()`.
    route: NonNull<()>,
    owner: Arc<dyn Owner>,
}

// SAFETY: an entry is a shared owner of a `Route<M, P>`, whose fields are all `Send + Sync` (`Next`
// requires it).
unsafe impl Send for Entry {}
// SAFETY: as above.
unsafe impl Sync for Entry {}

/// What an entry points to. Its calls stand first, where they are found without knowing `P`.
#[repr(C)]
struct Route<M: Message, P> {
    /// Invariant: made for this `P`.
    calls: Calls<M>,
    info: RouteInfo,
    pipeline: P,
}

/// A route without its type.
trait Owner: Send + Sync {
    fn info(&self) -> &RouteInfo;
    fn message(&self) -> TypeId;
}

impl<M: Message, P: Send + Sync> Owner for Route<M, P> {
    fn info(&self) -> &RouteInfo {
        &self.info
    }

    fn message(&self) -> TypeId {
        TypeId::of::<M>()
    }
}

type Block<M> = unsafe fn(NonNull<()>, M, &Clock) -> Outcome<M>;
type BlockWith<M> = unsafe fn(NonNull<()>, M, &Context<'_>) -> Outcome<M>;
type Start<M> = for<'a> unsafe fn(
    &Entry,
    &mut Option<M>,
    Option<&mut Context<'a>>,
    &'a Clock,
    &mut task::Context<'_>,
    &mut Out<M>,
) -> Started<'a, M>;

/// The entries into a pipeline of `M`: the blocking lane without and with a context, and the
/// awaiting lane.
struct Calls<M: Message> {
    block: Block<M>,
    block_with: BlockWith<M>,
    start: Start<M>,
}

impl<M: Message> Calls<M> {
    const fn of<P: Next<M> + 'static>() -> Self {
        Self {
            block: block::<M, P>,
            block_with: block_with::<M, P>,
            start: frame::start::<M, P>,
        }
    }
}

impl Entry {
    pub(crate) fn new<M: Message, P: Next<M> + 'static>(info: RouteInfo, pipeline: P) -> Self {
        let calls = Calls::<M>::of::<P>();
        let route = Route {
            calls,
            info,
            pipeline,
        };
        let owner = arc_dyn!(dyn Owner, route);
        Self {
            // `as_ptr` keeps the provenance of the whole allocation.
            route: NonNull::new(Arc::as_ptr(&owner).cast_mut().cast()).expect("an Arc is not null"),
            owner,
        }
    }

    pub(crate) fn info(&self) -> &RouteInfo {
        self.owner.info()
    }

    pub(crate) fn message(&self) -> TypeId {
        self.owner.message()
    }

    /// Whether this is the route's only owner. Once true of an entry that no table holds, it stays
    /// so, and whatever the other owners did has happened before.
    pub(crate) fn is_unique(&mut self) -> bool {
        Arc::get_mut(&mut self.owner).is_some()
    }

    /// The entry with its type.
    #[inline(always)]
    fn open<M: Message>(&self) -> Typed<'_, M> {
        debug_assert_eq!(self.message(), TypeId::of::<M>());
        Typed {
            entry: self,
            _message: PhantomData,
        }
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Entry").field(self.info()).finish()
    }
}

/// Entries by message type.
#[derive(Clone, Default)]
pub(crate) struct Entries(HashMap<TypeId, Entry, RandomState>);

impl Entries {
    pub(crate) fn with_capacity(capacity: usize) -> Result<Self, TryReserveError> {
        let mut entries = HashMap::with_hasher(random_state());
        entries.try_reserve(capacity)?;
        Ok(Self(entries))
    }

    pub(crate) fn reserve(&mut self, additional: usize) {
        self.0.reserve(additional);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Files `entry` under the message type it was made for; returns the one it replaces.
    pub(crate) fn insert(&mut self, entry: Entry) -> Option<Entry> {
        self.0.insert(entry.message(), entry)
    }

    pub(crate) fn remove(&mut self, message: TypeId) -> Option<Entry> {
        self.0.remove(&message)
    }

    pub(crate) fn find(&self, message: TypeId) -> Option<&Entry> {
        self.0.get(&message)
    }

    #[inline(always)]
    pub(crate) fn get<M: Message>(&self) -> Option<Typed<'_, M>> {
        self.0.get(&TypeId::of::<M>()).map(Entry::open)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.0.values()
    }

    pub(crate) fn into_entries(self) -> impl Iterator<Item = Entry> {
        self.0.into_values()
    }
}

/// A route found in a table, with its type.
pub(crate) struct Typed<'t, M: Message> {
    /// Invariant: that of a route of `M`, for it was found under `TypeId::of::<M>()`.
    entry: &'t Entry,
    _message: PhantomData<fn(M)>,
}

impl<M: Message> Clone for Typed<'_, M> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M: Message> Copy for Typed<'_, M> {}

impl<'t, M: Message> Typed<'t, M> {
    #[inline(always)]
    fn calls(self) -> &'t Calls<M> {
        // SAFETY: `entry` owns a `Route<M, P>` while it is borrowed, and its calls stand first.
        unsafe { self.entry.route.cast::<Calls<M>>().as_ref() }
    }

    /// Runs the pipeline to its end on this thread.
    #[inline(always)]
    pub(crate) fn block(self, msg: M, clock: &Clock) -> Outcome<M> {
        // SAFETY: the calls were made for this route, which `entry` owns while it is borrowed.
        unsafe { (self.calls().block)(self.entry.route, msg, clock) }
    }

    /// Runs the pipeline to its end on this thread, in `cx`.
    #[inline(always)]
    pub(crate) fn block_with(self, msg: M, cx: &Context<'_>) -> Outcome<M> {
        // SAFETY: as above.
        unsafe { (self.calls().block_with)(self.entry.route, msg, cx) }
    }

    /// Starts the pipeline and polls it once. Takes the message, and the context if there is one; a
    /// pipeline that is pending is kept in a [`Frame`], together with its route.
    #[inline(always)]
    pub(crate) fn start<'o, 'a>(
        self,
        msg: &mut Option<M>,
        cx: Option<&mut Context<'a>>,
        clock: &'a Clock,
        task: &mut task::Context<'_>,
        out: &'o mut Out<M>,
    ) -> Launch<'o, 'a, M> {
        // SAFETY: the calls were made for this route, which `entry` owns while it is borrowed; a frame that
        // outlives this borrow has a share of the route, and `'a` bounds it.
        let started = unsafe { (self.calls().start)(self.entry, msg, cx, clock, task, out) };
        // SAFETY: just written by that call.
        unsafe { Launch::new(started, out) }
    }

    /// The same route with a share of its own.
    pub(crate) fn pin(self) -> Pinned<M> {
        Pinned {
            entry: self.entry.clone(),
            _message: PhantomData,
        }
    }
}

/// A share of a route, with its type.
#[derive(Clone)]
pub(crate) struct Pinned<M: Message> {
    /// Invariant: that of a route of `M`.
    entry: Entry,
    _message: PhantomData<fn(M)>,
}

impl<M: Message> Pinned<M> {
    #[inline(always)]
    pub(crate) fn get(&self) -> Typed<'_, M> {
        Typed {
            entry: &self.entry,
            _message: PhantomData,
        }
    }

    pub(crate) fn info(&self) -> &RouteInfo {
        self.entry.info()
    }
}

/// The blocking entry. It makes the context itself, so that the compiler can leave out what of it
/// the pipeline does not read.
///
/// # Safety
///
/// `route` points to a `Route<M, P>` that lives through the call.
unsafe fn block<M: Message, P: Next<M>>(route: NonNull<()>, msg: M, clock: &Clock) -> Outcome<M> {
    // SAFETY: the caller's promise.
    let route = unsafe { route.cast::<Route<M, P>>().as_ref() };
    // It owns nothing: without drop glue the compiler need not keep it in memory.
    let cx = ManuallyDrop::new(Context::root(clock));
    edge::<M>(route.pipeline.block(msg, &cx), &cx)
}

/// The blocking entry with a context.
///
/// # Safety
///
/// As [`block`].
unsafe fn block_with<M: Message, P: Next<M>>(
    route: NonNull<()>,
    msg: M,
    cx: &Context<'_>,
) -> Outcome<M> {
    // SAFETY: the caller's promise.
    let route = unsafe { route.cast::<Route<M, P>>().as_ref() };
    edge::<M>(route.pipeline.block(msg, cx), cx)
}
