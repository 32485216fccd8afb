//! [`Explanation`].

use std::time::Duration;

use super::Warning;
use super::rules::warnings;
use super::worst::Worst;
use crate::message::MessageType;
use crate::outcome::ErrorKind;
use crate::pipeline::{LayerInfo, RouteInfo};

/// What a route may do at worst, added up from the [`Facts`](crate::Facts) of its layers; and which of
/// them stand in a dangerous order. Displayed, it is a page for people. Got from
/// [`Bus::explain`](crate::Bus::explain), [`RouteInfo::explain`](crate::RouteInfo::explain) or
/// [`Layers::explain`](crate::Layers::explain).
///
/// The figures are those of the setup: a limit that was changed since is not seen. A layer that does
/// not say what it does ([`unknown`](Self::unknown)) counts as one run of the rest.
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
///   QueuedBulkhead  32 at once, 64 wait up to 500ms; can be changed live
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
/// Each layer has one instance a route.
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

    /// The message's name and Rust type.
    #[must_use]
    pub fn message(&self) -> MessageType {
        self.message
    }

    /// The layers that are switched on, outermost first.
    #[must_use]
    pub fn layers(&self) -> &[LayerInfo] {
        &self.layers
    }

    /// How many runs of the handler there may be one after the other, for one message: the attempts of
    /// all layers multiplied. At most `u32::MAX`.
    #[must_use]
    pub fn max_attempts(&self) -> u32 {
        self.worst.attempts
    }

    /// How many runs of the handler there may be in all, for one message: how much the layers amplify
    /// the load of a backend in trouble. At most `u64::MAX`.
    #[must_use]
    pub fn max_handler_calls(&self) -> u64 {
        self.worst.calls
    }

    /// The longest time to an answer; `None` if nothing on the route bounds it. Then the deadline of the
    /// caller's context does, if it has one.
    ///
    /// What bounds it is a [`Timeout`](crate::middleware::Timeout), which ends a handler that waits. One
    /// that computes on and on is not interrupted by anything.
    #[must_use]
    pub fn longest(&self) -> Option<Duration> {
        self.worst.time.longest()
    }

    /// How old a reply may be; `None` if each is made for its message.
    #[must_use]
    pub fn keeps(&self) -> Option<Duration> {
        self.worst.keeps
    }

    /// Returns the kinds of error in which the route may end, in the order of [`ErrorKind::ALL`]. The handler's
    /// own are there unless they are known not to come, and so is `Invalid`, whether the message has rules or
    /// not. An error that carries one of a nested dispatch counts among the handler's own.
    #[must_use]
    pub fn errors(&self) -> &[ErrorKind] {
        self.worst.errors.kinds()
    }

    /// Returns the kinds that none of the layers make but the caller may bring about: by the deadline of its
    /// context, by cancelling it, or by a blocking dispatch where that is never answered.
    #[must_use]
    pub fn errors_by_caller(&self) -> &[ErrorKind] {
        &self.by_caller
    }

    /// The layers that do not say what they do: the figures are without them.
    #[must_use]
    pub fn unknown(&self) -> &[&'static str] {
        &self.unknown
    }

    /// The layers that stand in a dangerous order.
    #[must_use]
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }
}
