//! [`Previous`]: the middlewares around a handler that is to be replaced.

use std::any::Any;

/// Finds a middleware of a route by its place, where 0 is the outermost.
pub(crate) trait Places {
    /// Returns the middleware at `place`, or `None` beyond the innermost.
    fn middleware_at(&self, place: usize) -> Option<&dyn Any>;
}

/// The middlewares around a handler that is to be replaced, from a place inwards, which are none for a new
/// handler.
#[derive(Clone, Copy)]
#[expect(
    missing_debug_implementations,
    reason = "it is lent while layers are made"
)]
pub struct Previous<'r> {
    route: Option<&'r dyn Places>,
    place: usize,
}

impl<'r> Previous<'r> {
    /// Creates the view of the middlewares of `route`, if there is a route.
    pub(crate) fn of(route: Option<&'r dyn Places>) -> Self {
        Self { route, place: 0 }
    }

    /// Returns the middlewares inside the first `layers`.
    pub(super) fn inside(self, layers: usize) -> Self {
        let place = self.place + layers;
        Self { place, ..self }
    }

    /// Returns the outermost middleware, if its type is `W`.
    pub(super) fn outermost<W: 'static>(self) -> Option<&'r W> {
        self.route?.middleware_at(self.place)?.downcast_ref()
    }
}
