//! [`RateLimit`] and [`WaitingRateLimit`]: the settings.

use std::time::Duration;

use super::{Quota, RateLimitGate, RateLimitPolicy, WaitingRateLimitMiddleware};
use crate::message::Message;
use crate::middleware::Handles;
use crate::pipeline::{Gated, Layer, RouteInfo};
use crate::setting::InvalidSetting;
use crate::sync::PlainArc;

/// Lets so many messages pass in so much time, and refuses the others with
/// [`RateLimited`](crate::Error::RateLimited), which says when to come again.
///
/// One limit a route; [`shared`](crate::LayerExt::shared) makes it one for all of them. A message
/// that passed has used its token, whatever becomes of it further in. Costs one compare-and-swap
/// and a clock reading, which the other layers share.
#[derive(Clone, Debug)]
pub struct RateLimit {
    quota: Quota,
    handles: Handles<RateLimitPolicy>,
}

impl RateLimit {
    /// Lets pass what `quota` says.
    #[must_use]
    pub fn new(quota: Quota) -> Self {
        Self {
            quota,
            handles: Handles::default(),
        }
    }

    /// `messages` a second. From 1 up.
    #[must_use]
    pub fn per_second(messages: u32) -> Self {
        Self::new(Quota::per_second(messages))
    }

    /// `messages` a minute. From 1 up.
    #[must_use]
    pub fn per_minute(messages: u32) -> Self {
        Self::new(Quota::per_minute(messages))
    }

    /// How many may pass at once after a pause: see [`Quota::burst`].
    #[must_use]
    pub fn burst(mut self, burst: u32) -> Self {
        self.quota = self.quota.burst(burst);
        self
    }

    /// Makes a message wait for its token, for at most `patience` and never beyond its deadline: one
    /// that would have to wait longer is refused at once. More than zero. Messages that wait are
    /// served in the order in which they came.
    #[must_use]
    pub fn wait_at_most(self, patience: Duration) -> WaitingRateLimit {
        WaitingRateLimit {
            limit: self,
            patience,
        }
    }

    /// The policies of the routes: to see what is left, and to change the quota.
    #[must_use]
    pub fn handles(&self) -> Handles<RateLimitPolicy> {
        self.handles.clone()
    }

    fn policy(&self, route: &RouteInfo) -> PlainArc<RateLimitPolicy> {
        let policy = RateLimitPolicy::new(self.quota).expect("checked before");
        self.handles.add(route.name(), policy)
    }
}

impl<M: Message> Layer<M> for RateLimit {
    type Middleware = Gated<RateLimitGate>;

    fn check(&self) -> Result<(), InvalidSetting> {
        self.quota.checked().map(drop)
    }

    fn middleware(&self, route: &RouteInfo) -> Self::Middleware {
        Gated(RateLimitGate::new(self.policy(route)))
    }
}

/// A [`RateLimit`] that makes messages wait: made by [`wait_at_most`](RateLimit::wait_at_most).
///
/// A message that waits has its token reserved. One that is dropped while it waits gives it back,
/// unless its time has come already: then the token is used up.
#[derive(Clone, Debug)]
pub struct WaitingRateLimit {
    limit: RateLimit,
    patience: Duration,
}

impl WaitingRateLimit {
    /// The policies of the routes: to see what is left, and to change the quota.
    #[must_use]
    pub fn handles(&self) -> Handles<RateLimitPolicy> {
        self.limit.handles()
    }
}

impl<M: Message> Layer<M> for WaitingRateLimit {
    type Middleware = WaitingRateLimitMiddleware;

    fn check(&self) -> Result<(), InvalidSetting> {
        self.limit.quota.checked()?;
        InvalidSetting::unless(
            !self.patience.is_zero(),
            "RateLimit.wait_at_most",
            "more than zero",
        )
    }

    fn middleware(&self, route: &RouteInfo) -> Self::Middleware {
        WaitingRateLimitMiddleware::new(self.limit.policy(route), self.patience)
    }

    fn name(&self) -> &'static str {
        "RateLimit"
    }
}
