//! [`AdaptiveLimit`]: the settings.

use std::time::Duration;

use super::policy::{Algorithm, Settings as PolicySettings};
use super::{AdaptiveLimitGate, AdaptiveLimitPolicy};
use crate::clock::nanos;
use crate::message::Message;
use crate::middleware::Handles;
use crate::middleware::handles::Settings;
use crate::outcome::ErrorKind;
use crate::pipeline::{Facts, Gated, Layer, Role, RouteInfo};
use crate::setting::InvalidSetting;

/// Lets only so many dispatches of a route run at once as the backend keeps up with, and refuses the
/// others with [`Error::Overloaded`](crate::Error::Overloaded), the least important first.
///
/// What it learns from an outcome, by its [`Verdict`](crate::Verdict):
///
/// | outcome | taken as |
/// |---|---|
/// | `Success` | a sample of the latency |
/// | a layer's time limit that passed while the handler ran; a handler's error that is `Transient` | an overload: the limit is lowered at once, but once for all that had entered by then |
/// | every other `Failure`: a panic, an error that is not classified | nothing |
/// | `Neutral` | nothing |
/// | ended by its caller (a deadline, a token, a future that was dropped) | nothing, not even a sample; an overload if it had run for [`slow_after`](Self::slow_after) |
/// | dropped by the limit of a [`Timeout`](crate::middleware::Timeout) further out | an overload |
///
/// See the [module](super) for an example.
///
/// A clone makes instances of its own, for routes of its own; [`shared`](crate::LayerExt::shared) makes one
/// for all: see [`Layer`](crate::Layer#one-instance-a-route).
#[derive(Clone, Debug)]
pub struct AdaptiveLimit {
    settings: PolicySettings,
    handles: Handles<AdaptiveLimitPolicy>,
}

impl AdaptiveLimit {
    /// Additive increase, multiplicative decrease. One more after each window that had use for it; an
    /// overload, or a window whose mean latency is above `slow` (1 ns to 30 s), lowers the limit by
    /// [`backoff`](Self::backoff).
    ///
    /// For a backend that says when it is overloaded, or whose latency has a bound that you know.
    #[must_use]
    pub fn aimd(slow: Duration) -> Self {
        let slow = nanos(slow);
        Self::by(Algorithm::Aimd { slow })
    }

    /// Keeps a small queue in the backend. Of `limit` in flight, `limit * (1 - baseline / latency)`
    /// wait, where the baseline is the latency without load. Under 10 % of the limit (or 3) it grows
    /// by its square root, above 20 % (or 6) it shrinks by as much. An overload lowers it by
    /// [`backoff`](Self::backoff).
    ///
    /// The baseline is the least mean of a window. Every 100 windows, if dispatches are being refused
    /// anyhow, a few run at half the limit to measure it anew: so a backend that has become slower for
    /// good is not taken for a loaded one.
    ///
    /// For a backend of which you know nothing.
    #[must_use]
    pub fn vegas() -> Self {
        Self::by(Algorithm::Vegas)
    }

    fn by(algorithm: Algorithm) -> Self {
        let settings = PolicySettings {
            algorithm,
            initial: 20,
            min: 1,
            max: 1000,
            window: 50,
            backoff: 0.9,
            slow_after: None,
        };
        Self {
            settings,
            handles: Handles::default(),
        }
    }

    /// The limit to begin with, within the range. Default 20, as Netflix's: little for most backends,
    /// and found wanting within some windows.
    #[must_use]
    pub fn initial(mut self, limit: usize) -> Self {
        self.settings.initial = limit;
        self
    }

    /// The least and the most the limit may be, from 1 to 65,535. Default 1 to 1000: something gets
    /// through however bad it is, and a measure that fails does not open the gates.
    #[must_use]
    pub fn range(mut self, min: usize, max: usize) -> Self {
        (self.settings.min, self.settings.max) = (min, max);
        self
    }

    /// After how many samples the limit is computed anew, 1 to 4096. Default 50: the mean of fewer
    /// moves about too much, more of them take longer to notice. A window also
    /// takes as many as are in flight when it begins, and the one after a change is let pass: it
    /// measures what entered before.
    #[must_use]
    pub fn window(mut self, samples: usize) -> Self {
        self.settings.window = samples;
        self
    }

    /// By what the limit is multiplied after an overload, from 0.5 to below 1. Default 0.9, as
    /// Netflix's: an overload every now and then costs little, a lasting one is over in ten windows.
    #[must_use]
    pub fn backoff(mut self, ratio: f64) -> Self {
        self.settings.backoff = ratio;
        self
    }

    /// A dispatch that its caller ended after `time` (1 ns to a day) or later is an overload; one that it ended
    /// before says nothing, see [`Verdict`](crate::Verdict).
    ///
    /// Default none: how long anybody should wait only you know. Without it, and without a timeout, a backend that
    /// hangs does not lower the limit as long as every caller has a deadline.
    #[must_use]
    pub fn slow_after(mut self, time: Duration) -> Self {
        self.settings.slow_after = Some(time);
        self
    }

    /// The state of every route it is given to; and where ranges are changed.
    #[must_use]
    pub fn handles(&self) -> Handles<AdaptiveLimitPolicy> {
        self.handles.clone()
    }

    /// A limit of its own, to be used without a bus.
    ///
    /// # Errors
    ///
    /// If a setting is out of range.
    pub fn policy(&self) -> Result<AdaptiveLimitPolicy, InvalidSetting> {
        AdaptiveLimitPolicy::new(self.settings)
    }
}

#[diagnostic::do_not_recommend]
impl<M: Message> Layer<M> for AdaptiveLimit {
    type Middleware = Gated<AdaptiveLimitGate>;

    const ROLE: Role = Role::AdaptiveLimit;

    fn middleware(
        &self,
        route: &RouteInfo,
        previous: Option<&Self::Middleware>,
    ) -> Result<Self::Middleware, InvalidSetting> {
        let of = &self.settings;
        let settings = Settings {
            fixed: (of.algorithm, of.window, of.backoff, of.slow_after),
            limits: (of.min, of.max),
        };
        let previous = previous.map(|previous| &previous.0.policy);
        let policy = self.handles.keep_with_limits_or_add(
            route,
            previous,
            self.policy()?,
            settings,
            |policy, (min, max), _| policy.set_range(min, max),
        );
        Ok(Gated(AdaptiveLimitGate::new(policy)))
    }

    fn facts(&self) -> Facts {
        let PolicySettings {
            initial, min, max, ..
        } = self.settings;
        Facts::new()
            .fails_with(ErrorKind::Overloaded)
            .live()
            .note(format!("{min} to {max} at once, {initial} to begin with"))
    }
}
