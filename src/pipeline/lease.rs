//! [`Lease`]: an inner service that keeps its route alive.
//!
//! In this module `unsafe` is allowed, with this proof. A [`Home`] is set by [`Home::settle`] alone, for the
//! leaf of a pipeline that the route owns and never moves again. A [`Next`] holds its leaf by value, so a
//! `Next` whose leaf has settled lies in the route of that leaf.
#![allow(unsafe_code)]

use std::ptr::NonNull;

use super::{Next, Places};
use crate::message::Message;
use crate::sync::{Arc, OnceLock};

/// A route with its type erased, which can be shared, dropped, and searched for its middlewares.
pub(crate) trait Owner: Places + Send + Sync {}

/// The place in a leaf for its route, which is empty until a route owns the leaf.
#[derive(Default)]
pub struct Home(OnceLock<Weak>);

/// A pointer to a route that does not own the route. A weak `Arc` would not do, because with a weak count an
/// owner would never be the only one.
struct Weak(NonNull<dyn Owner>);

// SAFETY: the pointer is used to share the route alone, which is `Send + Sync`.
unsafe impl Send for Weak {}
// SAFETY: the pointer is used to share the route alone, which is `Send + Sync`.
unsafe impl Sync for Weak {}

impl Home {
    /// Records the route that owns the leaf of this home.
    ///
    /// # Safety
    ///
    /// `route` must own the leaf of this home, must not move the leaf, and must drop the leaf last.
    pub(crate) unsafe fn settle(&self, route: &Arc<dyn Owner>) {
        let route = NonNull::new(Arc::as_ptr(route).cast_mut()).expect("an Arc is not null");
        drop(self.0.set(Weak(route)));
    }

    /// Returns a share of the route, or `None` if no route owns the leaf.
    fn share(&self) -> Option<Arc<dyn Owner>> {
        let route = self.0.get()?.0.as_ptr();
        // SAFETY: the route owns this home, and a dispatch or a lease that borrows the home keeps a share of
        // the route. So the route is alive, and `settle` got the pointer from an `Arc`.
        unsafe { Arc::increment_strong_count(route) };
        // SAFETY: the pointer is from an `Arc`, and the new count belongs to this share.
        Some(unsafe { Arc::from_raw(route) })
    }
}

/// An inner service with a share of its route.
pub(crate) struct Lease<N> {
    /// Invariant: the inner service lies in the route, which does not move the service.
    next: NonNull<N>,
    _route: Arc<dyn Owner>,
}

// SAFETY: a lease is a shared reference to `N` and a share of a route that is `Send + Sync`.
unsafe impl<N: Sync> Send for Lease<N> {}
// SAFETY: a lease is a shared reference to `N` and a share of a route that is `Send + Sync`.
unsafe impl<N: Sync> Sync for Lease<N> {}

impl<N> Lease<N> {
    /// Takes a lease of `next`. Returns `None` on a static bus, where no route owns the pipeline.
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
        // SAFETY: the inner service lies in the route, which this lease keeps alive.
        unsafe { self.next.as_ref() }
    }
}

debug_name!(Home, "Home");
