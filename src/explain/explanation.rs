//! [`Explanation`]: the worst case of a route.

use std::time::Duration;

use super::Warning;
use super::rules::warnings;
use super::worst::Worst;
use crate::message::MessageType;
use crate::outcome::ErrorKind;
use crate::pipeline::{LayerInfo, RouteInfo};

/// The worst case of a route, added up from the [`Facts`](crate::Facts) of its layers, with
/// warnings about dangerous orders of layers. Displayed as a page for people. Returned by
/// [`Bus::explain`](crate::Bus::explain), [`RouteInfo::explain`](crate::RouteInfo::explain) and
/// [`Layers::explain`](crate::Layers::explain).
///
/// The figures describe the setup and do not reflect limits that were changed since. A layer
/// without facts ([`unknown`](Self::unknown)) counts as one run of its inner service.
///
/// ```
/// use std::time::Duration;
/// use arcbus::middleware::{Bulkhead, CircuitBreaker, Timeout, Validation};
/// use arcbus::{Command, CommandBus, Context, Message, from_fn};
///
/// struct Pay;
/// impl Message for Pay {
///     const NAME: &'static str = "pay";
///     type Kind = Command;
///     type Reply = ();
///     type Error = std::convert::Infallible;
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let bus = CommandBus::builder()
///     .layer(Validation::new())
///     .layer(Bulkhead::new(32).queue(64, Duration::from_millis(500)))
///     .layer(CircuitBreaker::consecutive(10))
///     .layer(Timeout::new(Duration::from_secs(2)))
///     .register(from_fn(|_: Pay, _: &Context<'_>| Ok(())))
///     .build_strict()?;
///
/// let explanation = bus.explain::<Pay>()?;
/// assert_eq!(explanation.longest(), Some(Duration::from_millis(2500)));
/// assert_eq!(explanation.max_handler_calls(), 1);
/// assert!(explanation.warnings().is_empty());
/// assert_eq!(explanation.to_string(), "\
/// pay (command), through 4 layers, outermost first:
///   Validation
///   Bulkhead        32 at once, 64 wait up to 500ms; can be changed live
///   CircuitBreaker  opens after 10 failures in a row, for 5s; can be changed live
///   Timeout         2s; can be changed live
///   the handler
/// At worst, as set up:
///   attempts        1, one after the other
///   handler calls   1
///   time            2.5s, unless a handler computes that long without waiting
///   kept            nothing
///   errors          invalid, queue_timeout, timeout, circuit_open, overloaded, panicked, transient, permanent, unclassified
///   by the caller   late, caller_timeout, cancelled_early, cancelled, would_deadlock
/// Each layer has one instance per route.
/// No dangerous order.
/// ");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    pub(super) message: MessageType,
    pub(super) kind: &'static str,
    pub(super) layers: Vec<LayerInfo>,
    pub(super) worst: Worst,
    pub(super) by_caller: Vec<ErrorKind>,
    pub(super) unknown: Vec<&'static str>,
    pub(super) warnings: Vec<Warning>,
}

impl Explanation {
    pub(super) fn of(route: &RouteInfo) -> Self {
        let layers = route.stack().to_vec();
        let worst = Worst::of(&layers);
        let unknown = layers.iter().filter(|layer| layer.facts().unknown);
        Self {
            message: route.message(),
            kind: route.kind(),
            by_caller: worst.errors.of_the_caller(),
            unknown: unknown.map(LayerInfo::name).collect(),
            warnings: warnings(&layers),
            worst,
            layers,
        }
    }

    /// Returns the name and the Rust type of the message.
    #[must_use]
    pub fn message(&self) -> MessageType {
        self.message
    }

    /// Returns the layers that are switched on, from the outermost inwards.
    #[must_use]
    pub fn layers(&self) -> &[LayerInfo] {
        &self.layers
    }

    /// Returns the largest number of sequential runs of the handler for one message, which is the
    /// product of the attempts of all layers. At most `u32::MAX`.
    #[must_use]
    pub fn max_attempts(&self) -> u32 {
        self.worst.attempts
    }

    /// Returns the largest number of runs of the handler for one message, sequential and
    /// concurrent. This is how much the layers amplify the load of a backend in trouble. At most
    /// `u64::MAX`.
    #[must_use]
    pub fn max_handler_calls(&self) -> u64 {
        self.worst.calls
    }

    /// Returns the longest time to a reply, or `None` if nothing on the route bounds the time. Then
    /// only the deadline of the caller's context does, if there is one.
    ///
    /// The bound comes from a [`Timeout`](crate::middleware::Timeout), which stops a handler that
    /// waits. Nothing interrupts a handler that computes without waiting.
    #[must_use]
    pub fn longest(&self) -> Option<Duration> {
        self.worst.time.longest()
    }

    /// Returns the largest age of a reply, or `None` if every reply is made for its message.
    #[must_use]
    pub fn keeps(&self) -> Option<Duration> {
        self.worst.keeps
    }

    /// Returns the error kinds of the route, in the order of [`ErrorKind::ALL`]. Kinds of the handler are
    /// listed unless they are known to be impossible, and `Invalid` is listed whether or not the message
    /// has rules. A handler's error that carries an error of a nested dispatch counts as the handler's own.
    #[must_use]
    pub fn errors(&self) -> &[ErrorKind] {
        self.worst.errors.kinds()
    }

    /// Returns the error kinds that the caller may cause and no layer returns: by the deadline or the
    /// cancellation of its context, or by a blocking dispatch on a thread that must not block.
    #[must_use]
    pub fn errors_by_caller(&self) -> &[ErrorKind] {
        &self.by_caller
    }

    /// Returns the names of the layers without facts, which the figures do not include.
    #[must_use]
    pub fn unknown(&self) -> &[&'static str] {
        &self.unknown
    }

    /// Returns a warning for each pair of layers in a dangerous order.
    #[must_use]
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }
}
