//! [`Timeout`]: the settings of the layer that limits the time of a handler.

use std::any::TypeId;
use std::fmt;
use std::time::Duration;

use super::middleware::Fixed;
use super::{TimeoutLimit, TimeoutPolicy};
use crate::context::Context;
use crate::message::Message;
use crate::middleware::handles::Settings;
use crate::middleware::{Extract, Handles};
use crate::outcome::ErrorKind;
use crate::pipeline::{Facts, Layer, Limited, Role, RouteInfo};
use crate::setting::InvalidSetting;
use crate::sync::PlainArc;

/// Limits the time that a handler is given. See [the module](super).
///
/// ```
/// use std::time::Duration;
/// use arcbus::Layers;
/// use arcbus::middleware::Timeout;
///
/// let timeout = Timeout::new(Duration::from_millis(250)).grace(Duration::from_millis(20));
/// let handles = timeout.handles();
/// let layers = Layers::new().layer(timeout);
/// # let _ = (layers, handles);
/// ```
///
/// A clone creates its own instances for its own routes. [`shared`](crate::LayerExt::shared) creates one
/// instance for all routes: see [`Layer`](crate::Layer#one-instance-a-route).
pub struct Timeout<C = Fixed> {
    timeout: Duration,
    grace: Duration,
    routes: Vec<(&'static str, Duration)>,
    choose: PlainArc<C>,
    handles: Handles<TimeoutPolicy>,
}

impl Timeout {
    /// Gives each message `timeout`. The time counts from the start of the dispatch, or from the end of the
    /// last wait in an outer layer, for example the wait for a permit.
    ///
    /// Range: more than zero, less than 584 years. There is no default, because no single value suits most
    /// services.
    #[must_use]
    pub fn new(timeout: Duration) -> Self {
        Self {
            timeout,
            grace: Duration::ZERO,
            routes: Vec::new(),
            choose: PlainArc::new(Fixed),
            handles: Handles::default(),
        }
    }
}

impl<C> Timeout<C> {
    /// Lets a waiting handler end by itself. When its time is over, its context says
    /// [cancelled](Context::is_cancelled), the handler is polled, and it is dropped only `grace` later. The
    /// grace never extends the deadline that the caller has set for the dispatch.
    ///
    /// Range: up to 584 years. Default: zero, no grace, because most handlers never check for cancellation.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Gives messages of type `M` their own time instead of the time of the layer, in the range that
    /// [`new`](Timeout::new) accepts.
    #[must_use]
    pub fn for_route<M: Message>(mut self, timeout: Duration) -> Self {
        self.routes.push((M::NAME, timeout));
        self
    }

    /// Lets `choose` decide how much time each single message is given. `None` means the time of the layer,
    /// and zero rejects the message. A panic of the closure propagates to the caller of the dispatch.
    ///
    /// The closure names its message type, so the layer stands in a scope of that message.
    ///
    /// ```
    /// use std::time::Duration;
    /// use arcbus::{Context, Message, Query, QueryBus, from_fn};
    /// use arcbus::middleware::Timeout;
    ///
    /// struct Export { rows: u64 }
    /// impl Message for Export {
    ///     const NAME: &'static str = "export";
    ///     type Kind = Query;
    ///     type Reply = u64;
    ///     type Error = std::convert::Infallible;
    /// }
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let timeout = Timeout::new(Duration::from_secs(1)).per_message(
    ///     |msg: &Export, _cx: &Context<'_>| {
    ///         (msg.rows > 1000).then(|| Duration::from_millis(msg.rows))
    ///     },
    /// );
    /// let bus = QueryBus::builder()
    ///     .scope(|s| {
    ///         s.layer(timeout).register(from_fn(|_: Export, cx: &Context<'_>| {
    ///             Ok(cx.remaining().unwrap().as_secs())
    ///         }))
    ///     })
    ///     .build()?;
    /// assert_eq!(bus.execute_blocking(Export { rows: 60_500 }), Ok(60));
    /// # Ok(())
    /// # }
    /// ```
    pub fn per_message<M, F>(self, choose: F) -> Timeout<F>
    where
        M: Message,
        F: Fn(&M, &Context<'_>) -> Option<Duration> + Send + Sync + 'static,
    {
        Timeout {
            timeout: self.timeout,
            grace: self.grace,
            routes: self.routes,
            choose: PlainArc::new(choose),
            handles: self.handles,
        }
    }

    /// Returns the limits of each route, to read and to change while the layer is in use.
    #[must_use]
    pub fn handles(&self) -> Handles<TimeoutPolicy> {
        self.handles.clone()
    }

    fn timeout_of(&self, route: &str) -> Duration {
        let own = self.routes.iter().rfind(|(name, _)| *name == route);
        own.map_or(self.timeout, |(_, timeout)| *timeout)
    }
}

#[diagnostic::do_not_recommend]
impl<M: Message, C: Extract<M, Option<Duration>>> Layer<M> for Timeout<C> {
    type Middleware = Limited<TimeoutLimit<C>>;

    const ROLE: Role = Role::Timeout;

    fn middleware(
        &self,
        route: &RouteInfo,
        previous: Option<&Self::Middleware>,
    ) -> Result<Self::Middleware, InvalidSetting> {
        for (_, timeout) in &self.routes {
            TimeoutPolicy::new(*timeout, self.grace)?;
        }
        let timeout = self.timeout_of(route.name());
        let policy = TimeoutPolicy::new(timeout, self.grace)?;
        let (fixed, limits) = (self.grace, timeout);
        let settings = Settings { fixed, limits };
        let previous = previous.map(|previous| &previous.0.policy);
        let policy = self.handles.keep_with_limits_or_add(
            route,
            previous,
            policy,
            settings,
            |policy, timeout, _| policy.set_timeout(timeout),
        );
        Ok(Limited(TimeoutLimit::new(
            policy,
            PlainArc::clone(&self.choose),
        )))
    }

    /// Describes the layer, without a bound on the duration if a closure chooses the time of each message.
    fn facts(&self) -> Facts {
        let timeout = self.timeout_of(M::NAME);
        let grace = match self.grace {
            Duration::ZERO => String::new(),
            grace => format!(", {grace:?} grace"),
        };
        let note = format!("{timeout:?}{grace}");
        let facts = Facts::new()
            .fails_with(ErrorKind::QueueTimeout)
            .fails_with(ErrorKind::Timeout)
            .live();
        if TypeId::of::<C>() == TypeId::of::<Fixed>() {
            facts
                .note(note)
                .ends_after(timeout.saturating_add(self.grace))
        } else {
            facts.note(format!("by message, or {note}"))
        }
    }
}

impl<C> Clone for Timeout<C> {
    fn clone(&self) -> Self {
        Self {
            routes: self.routes.clone(),
            choose: PlainArc::clone(&self.choose),
            handles: self.handles.clone(),
            ..*self
        }
    }
}

impl<C> fmt::Debug for Timeout<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timeout")
            .field("timeout", &self.timeout)
            .field("grace", &self.grace)
            .field("routes", &self.routes)
            .field("handles", &self.handles)
            .finish_non_exhaustive()
    }
}
