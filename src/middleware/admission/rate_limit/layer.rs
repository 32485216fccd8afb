//! [`RateLimit`]: the settings.

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

/// Lets so many messages through in a time, and refuses the others with
/// [`RateLimited`](crate::Error::RateLimited), which says when to try again. Each route has a limit of
/// its own; [`shared`](crate::LayerExt::shared), they have one together.
///
/// Every message that comes this far counts, whatever becomes of it: outcomes are not looked at.
///
/// A clone makes instances of its own, for routes of its own; [`shared`](crate::LayerExt::shared) makes one
/// for all: see [`Layer`](crate::Layer#one-instance-a-route).
#[derive(Clone, Debug)]
pub struct RateLimit<W = NoWait> {
    rate: Rate,
    wait: W,
    handles: Handles<RateLimitPolicy>,
}

/// A [`RateLimit`] refuses who finds no token.
#[derive(Clone, Copy, Debug)]
pub struct NoWait;

/// The messages of a [`RateLimit`] wait for their turn. Made by [`RateLimit::wait_at_most`].
///
/// A message that finds no token reserves the next one and waits for it. So messages are served in the
/// order in which they came, one an interval and not all at once. One that would wait longer than the
/// longest wait, or to the end of its own time limit or past it, is refused at once with
/// [`RateLimited`](crate::Error::RateLimited).
///
/// A reservation is given back when its message is dropped or cancelled while it waits: later messages move up, and
/// the rate is never exceeded. Where its turn has come already, its token may be lost to the others. A message that
/// is cancelled while it waits ends as [`Cancelled`](crate::Error::Cancelled) with
/// [`Phase::NotStarted`](crate::Phase::NotStarted).
#[derive(Clone, Copy, Debug)]
pub struct Wait {
    longest: Duration,
}

impl RateLimit {
    /// At most `count` messages a second, 1 to 1,000,000,000.
    #[must_use]
    pub fn per_second(count: u32) -> Self {
        Self::of(Rate::per_second(count))
    }

    /// At most `count` messages in each `per`; see [`Rate::new`] for the range.
    #[must_use]
    pub fn new(count: u32, per: Duration) -> Self {
        Self::of(Rate::new(count, per))
    }

    /// At most so many.
    #[must_use]
    pub fn of(rate: Rate) -> Self {
        Self {
            rate,
            wait: NoWait,
            handles: Handles::default(),
        }
    }

    /// Lets messages wait for their turn, up to `longest`, instead of refusing them: in the order in
    /// which they came. At least a nanosecond. No default: how long a caller can wait is its own matter,
    /// and each waiting message holds memory; about `longest` times the rate wait at once.
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
    /// How many may come at once after a pause; see [`Rate::burst`] for range and default.
    #[must_use]
    pub fn burst(mut self, burst: u32) -> Self {
        self.rate = self.rate.burst(burst);
        self
    }

    /// The state behind it: to read what is left, and to change the rate while it works.
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
