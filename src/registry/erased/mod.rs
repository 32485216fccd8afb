//! Type erasure: routes of any message in one table, each of which is used with its own type again.
//!
//! In this module `unsafe` is allowed. Its proof: [`Entries`] stores an [`Entry`] under the
//! `TypeId` with which the entry was created. [`Entry::new`] is the only way to create one, and
//! takes the description, the calls and the pipeline of one message type. So an entry under
//! `TypeId::of::<M>()` was created from a pipeline of `M`.
#![allow(unsafe_code)]

use std::any::{Any, TypeId};
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
use crate::pipeline::{Next, Owner, Places, RouteInfo, edge};
use crate::random::random_state;
use crate::sync::{Arc, arc_dyn};

mod frame;
mod pool;

use frame::Started;
pub(crate) use frame::{Frame, Launch, Out, Written};

/// A registered route with its type erased, which every clone shares.
#[derive(Clone)]
pub(crate) struct Entry {
    /// Invariant: points to the `Route<M, P>` that `owner` owns, for the `M` of `message()`.
    route: NonNull<()>,
    owner: Arc<dyn Owner>,
}

// SAFETY: an entry is a shared owner of a `Route<M, P>`, whose fields are all `Send + Sync` (`Next`
// requires it).
unsafe impl Send for Entry {}
// SAFETY: an entry is a shared owner of a `Route<M, P>`, whose fields are all `Send + Sync`.
unsafe impl Sync for Entry {}

/// The target of an entry. The header comes first, where it is found without knowing `P`.
#[repr(C)]
struct Route<M: Message, P> {
    /// Invariant: its calls are made for this `P`.
    header: RouteHeader<M>,
    pipeline: P,
}

/// The part of a route that all pipelines of `M` have. The description comes first, where it is
/// found without knowing `M`.
#[repr(C)]
struct RouteHeader<M: Message> {
    /// Invariant: describes a route of `M`.
    info: RouteInfo,
    calls: Calls<M>,
}

impl<M: Message, P: Next<M>> Places for Route<M, P> {
    fn middleware_at(&self, place: usize) -> Option<&dyn Any> {
        self.pipeline.middleware_at(place)
    }
}

impl<M: Message, P: Next<M>> Owner for Route<M, P> {}

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

/// The entry points of a pipeline of `M`: the blocking lane without and with a context, and the
/// async lane.
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
        // Written here, because the proof of this module depends on it.
        let info = info.of_message::<M>();
        let calls = Calls::of::<P>();
        let route = Route::<M, P> {
            header: RouteHeader { info, calls },
            pipeline,
        };
        let owner = arc_dyn!(dyn Owner, route);
        // `as_ptr` keeps the provenance of the whole allocation.
        let route: NonNull<()> =
            NonNull::new(Arc::as_ptr(&owner).cast_mut().cast()).expect("an Arc is not null");
        // SAFETY: just made, with this `P`, and `owner` owns it.
        let pipeline = unsafe { &route.cast::<Route<M, P>>().as_ref().pipeline };
        // SAFETY: the route owns the pipeline by value, and is only shared and dropped from here on.
        unsafe { pipeline.home().settle(&owner) };
        Self { route, owner }
    }

    pub(crate) fn info(&self) -> &RouteInfo {
        // SAFETY: `owner` owns a `Route<M, P>` while it is borrowed, and its description comes first.
        unsafe { self.route.cast::<RouteInfo>().as_ref() }
    }

    pub(crate) fn message(&self) -> TypeId {
        self.info().message().id()
    }

    /// Returns the middlewares of the route by their places.
    pub(super) fn places(&self) -> &dyn Places {
        &*self.owner
    }

    /// Returns whether this is the route's only owner. If true for an entry outside every table,
    /// this stays true, and everything that the other owners did has happened before.
    pub(crate) fn is_unique(&mut self) -> bool {
        Arc::get_mut(&mut self.owner).is_some()
    }

    /// Returns the entry with its type, which must be the type of its message.
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

/// Entries of a table, by the `TypeId` of their message types.
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

    /// Stores `entry` under its message type, and returns the entry that it replaces.
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
    /// Invariant: belongs to a route of `M`, because it was found under `TypeId::of::<M>()`.
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
        // SAFETY: `entry` owns a `Route<M, P>` while it is borrowed, and its header comes first.
        let header = unsafe { self.entry.route.cast::<RouteHeader<M>>().as_ref() };
        &header.calls
    }

    /// Runs the pipeline to its end on this thread, without a context.
    #[inline(always)]
    pub(crate) fn block(self, msg: M, clock: &Clock) -> Outcome<M> {
        // SAFETY: the calls were made for this route, which `entry` owns while it is borrowed.
        unsafe { (self.calls().block)(self.entry.route, msg, clock) }
    }

    /// Runs the pipeline to its end on this thread, with the context `cx`.
    #[inline(always)]
    pub(crate) fn block_with(self, msg: M, cx: &Context<'_>) -> Outcome<M> {
        // SAFETY: the calls were made for this route, which `entry` owns while it is borrowed.
        unsafe { (self.calls().block_with)(self.entry.route, msg, cx) }
    }

    /// Starts the pipeline and polls it once. Takes the message, and the context if there is one. A
    /// pending pipeline is kept in a [`Frame`], together with its route.
    #[inline(always)]
    pub(crate) fn start<'o, 'a>(
        self,
        msg: &mut Option<M>,
        cx: Option<&mut Context<'a>>,
        clock: &'a Clock,
        task: &mut task::Context<'_>,
        out: &'o mut Out<M>,
    ) -> Launch<'o, 'a, M> {
        // SAFETY: the calls were made for this route, which `entry` owns while it is borrowed. A
        // frame that outlives this borrow has a share of the route, and `'a` bounds it.
        let started = unsafe { (self.calls().start)(self.entry, msg, cx, clock, task, out) };
        // SAFETY: just written by that call.
        unsafe { Launch::new(started, out) }
    }

    /// Returns this route with a share of its own.
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
    /// Invariant: belongs to a route of `M`.
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

/// Runs a pipeline in the blocking lane. This function creates the context itself, so that the
/// compiler can leave out the parts that the pipeline does not read.
///
/// # Safety
///
/// `route` points to a `Route<M, P>` that lives through the call.
unsafe fn block<M: Message, P: Next<M>>(route: NonNull<()>, msg: M, clock: &Clock) -> Outcome<M> {
    // SAFETY: the caller's promise.
    let route = unsafe { route.cast::<Route<M, P>>().as_ref() };
    // The context owns nothing, and without drop glue the compiler need not keep it in memory.
    let cx = ManuallyDrop::new(Context::root(clock));
    edge::<M>(route.pipeline.block(msg, &cx), &cx)
}

/// Runs a pipeline in the blocking lane, with a context.
///
/// # Safety
///
/// `route` points to a `Route<M, P>` that lives through the call.
unsafe fn block_with<M: Message, P: Next<M>>(
    route: NonNull<()>,
    msg: M,
    cx: &Context<'_>,
) -> Outcome<M> {
    // SAFETY: the caller's promise.
    let route = unsafe { route.cast::<Route<M, P>>().as_ref() };
    edge::<M>(route.pipeline.block(msg, cx), cx)
}
