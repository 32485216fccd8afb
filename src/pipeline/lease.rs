//! [`Lease`]: an inner service that keeps its route alive.
//!
//! In this module `unsafe` is allowed. Its proof: a [`Home`] is set by [`Home::settle`] alone, for the leaf of a
//! pipeline that the route owns and never moves again. A [`Next`] holds its leaf by value, so one whose leaf has
//! settled lies in the same route.
#![allow(unsafe_code)]

use std::ptr::NonNull;

use super::{Next, Places};
use crate::message::Message;
use crate::sync::{Arc, OnceLock};

/// A route with its type erased, which can only be shared and dropped, and whose middlewares can be found.
pub(crate) trait Owner: Places + Send + Sync {}

/// The place of a leaf: the route that owns it, once there is one.
#[derive(Default)]
pub struct Home(OnceLock<Weak>);

/// Points to a route without owning it. Not a weak `Arc`, with which no owner would ever be the only one.
struct Weak(NonNull<dyn Owner>);

// SAFETY: the pointer is used to share the route alone, which is `Send + Sync`.
unsafe impl Send for Weak {}
// SAFETY: the pointer is used to share the route alone, which is `Send + Sync`.
unsafe impl Sync for Weak {}

impl Home {
    /// Records the route.
    ///
    /// # Safety
    ///
    /// `route` owns the leaf of this home, does not move it, and drops it last.
    pub(crate) unsafe fn settle(&self, route: &Arc<dyn Owner>) {
        let route = NonNull::new(Arc::as_ptr(route).cast_mut()).expect("an Arc is not null");
        drop(self.0.set(Weak(route)));
    }

    /// Returns a share of the route, or `None` of a leaf that no route owns.
    fn share(&self) -> Option<Arc<dyn Owner>> {
        let route = self.0.get()?.0.as_ptr();
        // SAFETY: the route owns this home, which is borrowed: the dispatch that borrows it, or a lease, keeps a
        // share of the route. `settle` got the pointer from an `Arc`.
        unsafe { Arc::increment_strong_count(route) };
        // SAFETY: the pointer is from an `Arc`, and the new count belongs to this share.
        Some(unsafe { Arc::from_raw(route) })
    }
}

/// An inner service with a share of its route.
pub(crate) struct Lease<N> {
    /// Invariant: lies in the route, which does not move it.
    next: NonNull<N>,
    _route: Arc<dyn Owner>,
}

// SAFETY: a lease is a shared reference to `N` and a share of a route that is `Send + Sync`.
unsafe impl<N: Sync> Send for Lease<N> {}
// SAFETY: a lease is a shared reference to `N` and a share of a route that is `Send + Sync`.
unsafe impl<N: Sync> Sync for Lease<N> {}

impl<N> Lease<N> {
    /// Returns `None` where no route owns the pipeline: on a static bus.
    pub(crate) fn of<M: Message>(next: &N) -> Option<Self>
    where
        N: Next<M>,
    {
        let route = next.home().share()?;
        Some(Self {
            next: NonNull::from(next),
            _route: route,
        })
    }

    pub(crate) fn get(&self) -> &N {
        // SAFETY: it lies in the route, which this lease keeps alive.
        unsafe { self.next.as_ref() }
    }
}

debug_name!(Home, "Home");
