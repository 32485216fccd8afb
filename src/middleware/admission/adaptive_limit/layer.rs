//! [`AdaptiveLimit`]: the settings of the layer.

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

/// Lets as many dispatches of a route run at once as the backend can keep up with. Refuses the others
/// with [`Error::Overloaded`](crate::Error::Overloaded), the least important first.
///
/// The limit learns from each outcome by its [`Verdict`](crate::Verdict):
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
/// A clone makes its own instances for its own routes, and [`shared`](crate::LayerExt::shared) makes one
/// instance for all routes: see [`Layer`](crate::Layer#one-instance-a-route).
#[derive(Clone, Debug)]
pub struct AdaptiveLimit {
    settings: PolicySettings,
    handles: Handles<AdaptiveLimitPolicy>,
}

impl AdaptiveLimit {
    /// Adapts the limit by additive increase and multiplicative decrease. The limit grows by one after
    /// each window that had use for more. An overload lowers the limit by [`backoff`](Self::backoff),
    /// and so does a window whose mean latency is above `slow` (1 ns to 30 s).
    ///
    /// Use this algorithm for a backend that reports overload, or whose latency has a known bound.
    #[must_use]
    pub fn aimd(slow: Duration) -> Self {
        let slow = nanos(slow);
        Self::by(Algorithm::Aimd { slow })
    }

    /// Adapts the limit so that a small queue stays in the backend. Of `limit` dispatches in flight,
    /// `limit * (1 - baseline / latency)` wait, where the baseline is the latency without load. The
    /// limit grows by its square root while fewer than 10 % of the limit (or 3) wait, and shrinks by as
    /// much above 20 % (or 6). An overload lowers the limit by [`backoff`](Self::backoff).
    ///
    /// The baseline is the least mean latency of a window. Every 100 windows, if dispatches are being
    /// refused already, a few run at half the limit to measure the baseline again. Therefore a backend
    /// that has become slower for good is not taken for a loaded one.
    ///
    /// Use this algorithm for a backend whose behaviour is not known.
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

    /// Sets the initial limit, which must lie within the range. The default of 20 is Netflix's. That is
    /// little for most backends, and the limit grows within some windows.
    #[must_use]
    pub fn initial(mut self, limit: usize) -> Self {
        self.settings.initial = limit;
        self
    }

    /// Sets the least and the largest limit, from 1 to 65,535. The default is 1 to 1000. The minimum
    /// lets something through even in a bad state, and the maximum bounds the damage of a failed
    /// measurement.
    #[must_use]
    pub fn range(mut self, min: usize, max: usize) -> Self {
        (self.settings.min, self.settings.max) = (min, max);
        self
    }

    /// Sets the number of samples after which the limit is computed again, 1 to 4096. The default is 50.
    /// The mean of fewer samples moves about too much, and more samples take longer to notice a change.
    /// A window also takes at least as many samples as dispatches are in flight when the window begins.
    /// The window after a change is ignored, because its dispatches entered before the change.
    #[must_use]
    pub fn window(mut self, samples: usize) -> Self {
        self.settings.window = samples;
        self
    }

    /// Sets the factor of the limit after an overload, from 0.5 to below 1. The default of 0.9 is
    /// Netflix's. With this factor an occasional overload costs little, and a lasting overload is over
    /// in ten windows.
    #[must_use]
    pub fn backoff(mut self, ratio: f64) -> Self {
        self.settings.backoff = ratio;
        self
    }

    /// Counts a dispatch as an overload if its caller ended the dispatch after `time` (1 ns to a day) or
    /// later. An earlier end says nothing about the backend, see [`Verdict`](crate::Verdict).
    ///
    /// There is no default, because only the application knows how long a caller should wait. Without
    /// this setting and without a timeout, a hanging backend does not lower the limit while every caller
    /// has a deadline.
    #[must_use]
    pub fn slow_after(mut self, time: Duration) -> Self {
        self.settings.slow_after = Some(time);
        self
    }

    /// Returns a handle that reads the state of every route of this layer, and changes their ranges.
    #[must_use]
    pub fn handles(&self) -> Handles<AdaptiveLimitPolicy> {
        self.handles.clone()
    }

    /// Creates a separate limit that can be used without a bus.
    ///
    /// # Errors
    ///
    /// Returns an error if a setting is out of range.
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
