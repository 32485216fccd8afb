//! [`Explanation`]: the worst case of a route, with warnings about dangerous orders of its layers.

mod display;
mod errors;
mod explanation;
mod rules;
mod warning;
mod worst;

pub use explanation::Explanation;
pub use warning::Warning;

use std::time::SystemTime;

use crate::message::Message;
use crate::pipeline::{Layers, RouteInfo, Stack};

impl RouteInfo {
    /// Explains the worst case of the route. For all routes of a bus, use
    /// `bus.routes().iter().map(RouteInfo::explain)`.
    #[must_use]
    pub fn explain(&self) -> Explanation {
        Explanation::of(self)
    }
}

impl<S> Layers<S> {
    /// Explains the worst case of a route of `M` with these layers, for a static bus or for layers
    /// that are not on a bus yet.
    ///
    /// ```
    /// use std::time::Duration;
    /// use arcbus::Layers;
    /// use arcbus::middleware::Timeout;
    /// # use arcbus::{Message, Query};
    /// # struct Ping;
    /// # impl Message for Ping {
    /// #     const NAME: &'static str = "ping";
    /// #     type Kind = Query;
    /// #     type Reply = ();
    /// #     type Error = std::convert::Infallible;
    /// # }
    /// let layers = Layers::new().layer(Timeout::new(Duration::from_secs(1)));
    /// assert_eq!(layers.explain::<Ping>().longest(), Some(Duration::from_secs(1)));
    /// ```
    #[must_use]
    pub fn explain<M: Message>(&self) -> Explanation
    where
        S: Stack<M>,
    {
        Explanation::of(&self.info::<M>(SystemTime::now()))
    }
}
