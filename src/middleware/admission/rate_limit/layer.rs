//! [`RateLimit`]: the settings of the layer.

use std::time::Duration;

use super::middleware::RateLimitGate;
use super::policy::RateLimitPolicy;
use super::queue::RateLimitQueue;
use super::rate::Rate;
use crate::clock::nanos;
use crate::message::Message;
use crate::middleware::Handles;
use crate::middleware::handles::Settings;
use crate::pipeline::{Enqueued, Facts, Gated, Layer, Role, RouteInfo};
use crate::setting::InvalidSetting;
use crate::sync::PlainArc;

/// Lets a number of messages through in a time, and refuses the others with
/// [`RateLimited`](crate::Error::RateLimited), which says when to try again. Each route has a separate
/// limit, and routes of a [`shared`](crate::LayerExt::shared) layer have one together.
///
/// Every message that reaches this layer counts, whatever its outcome.
///
/// A clone makes its own instances for its own routes, and [`shared`](crate::LayerExt::shared) makes one
/// instance for all routes: see [`Layer`](crate::Layer#one-instance-a-route).
#[derive(Clone, Debug)]
pub struct RateLimit<W = NoWait> {
    rate: Rate,
    wait: W,
    handles: Handles<RateLimitPolicy>,
}

/// The mode of a [`RateLimit`] that refuses a message when there is no token.
#[derive(Clone, Copy, Debug)]
pub struct NoWait;

/// The mode of a [`RateLimit`] whose messages wait for their turn. Made by [`RateLimit::wait_at_most`].
///
/// A message that finds no token reserves the next one and waits for that token. Messages therefore run
/// in the order of arrival, one an interval instead of all at once. A message is refused at once with
/// [`RateLimited`](crate::Error::RateLimited) if its wait would exceed the longest wait, or would not
/// end before its own time limit.
///
/// A reservation is given back when its message is dropped or cancelled during the wait. Later messages
/// then move up, and the rate is never exceeded. If the turn has come already, the token may be lost to
/// the other messages. A message that is cancelled during its wait ends as
/// [`Cancelled`](crate::Error::Cancelled) with [`Phase::NotStarted`](crate::Phase::NotStarted).
#[derive(Clone, Copy, Debug)]
pub struct Wait {
    longest: Duration,
}

impl RateLimit {
    /// Allows at most `count` messages a second, from 1 to 1,000,000,000.
    #[must_use]
    pub fn per_second(count: u32) -> Self {
        Self::of(Rate::per_second(count))
    }

    /// Allows at most `count` messages in each `per`, see [`Rate::new`] for the range.
    #[must_use]
    pub fn new(count: u32, per: Duration) -> Self {
        Self::of(Rate::new(count, per))
    }

    /// Allows messages at `rate` at most.
    #[must_use]
    pub fn of(rate: Rate) -> Self {
        Self {
            rate,
            wait: NoWait,
            handles: Handles::default(),
        }
    }

    /// Lets messages wait for their turn in the order of arrival, up to `longest`, instead of refusing
    /// them. The wait is at least a nanosecond. There is no default, because only the caller knows its
    /// patience, and each waiting message holds memory. About `longest` times the rate messages wait at
    /// once.
    #[must_use]
    pub fn wait_at_most(self, longest: Duration) -> RateLimit<Wait> {
        RateLimit {
            rate: self.rate,
            wait: Wait { longest },
            handles: self.handles,
        }
    }
}

impl<W> RateLimit<W> {
    /// Sets the number of messages that may come at once after a pause. See [`Rate::burst`] for range
    /// and default.
    #[must_use]
    pub fn burst(mut self, burst: u32) -> Self {
        self.rate = self.rate.burst(burst);
        self
    }

    /// Returns a handle that reads the remaining tokens, and changes the rate in use.
    #[must_use]
    pub fn handles(&self) -> Handles<RateLimitPolicy> {
        self.handles.clone()
    }

    fn policy(
        &self,
        route: &RouteInfo,
        previous: Option<&PlainArc<RateLimitPolicy>>,
        patience: Duration,
    ) -> Result<PlainArc<RateLimitPolicy>, InvalidSetting> {
        let policy = RateLimitPolicy::new(self.rate)?.wait_at_most(patience);
        let (fixed, limits) = (patience, self.rate);
        let settings = Settings { fixed, limits };
        Ok(self.handles.keep_with_limits_or_add(
            route,
            previous,
            policy,
            settings,
            |policy, rate, now| policy.change(now, rate),
        ))
    }
}

#[diagnostic::do_not_recommend]
impl<M: Message> Layer<M> for RateLimit {
    type Middleware = Gated<RateLimitGate>;

    const ROLE: Role = Role::RateLimit;

    fn middleware(
        &self,
        route: &RouteInfo,
        previous: Option<&Self::Middleware>,
    ) -> Result<Self::Middleware, InvalidSetting> {
        let previous = previous.map(|previous| &previous.0.policy);
        let policy = self.policy(route, previous, Duration::ZERO)?;
        Ok(Gated(RateLimitGate::new(policy)))
    }

    fn facts(&self) -> Facts {
        self.rate.facts()
    }
}

#[diagnostic::do_not_recommend]
impl<M: Message> Layer<M> for RateLimit<Wait> {
    type Middleware = Enqueued<RateLimitQueue>;

    const ROLE: Role = Role::RateLimit;

    fn middleware(
        &self,
        route: &RouteInfo,
        previous: Option<&Self::Middleware>,
    ) -> Result<Self::Middleware, InvalidSetting> {
        InvalidSetting::unless(
            (1..u64::MAX).contains(&nanos(self.wait.longest)),
            "RateLimit.wait_at_most",
            "between a nanosecond and 584 years",
        )?;
        let previous = previous.map(|previous| &previous.0.policy);
        let policy = self.policy(route, previous, self.wait.longest)?;
        Ok(Enqueued(RateLimitQueue::new(policy)))
    }

    fn facts(&self) -> Facts {
        let (rate, longest) = (self.rate, self.wait.longest);
        let note = format!("{}, waits up to {longest:?}", rate.note());
        rate.facts().waits(longest).note(note)
    }
}
