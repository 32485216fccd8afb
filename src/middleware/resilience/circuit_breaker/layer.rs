//! [`CircuitBreaker`]: the settings of the layer that stops calls of a failing handler.

use std::fmt;
use std::time::Duration;

use super::middleware::CircuitBreakerGate;
use super::policy::{CircuitBreakerPolicy, Listener, Transition};
use super::policy::{Limits, Window};
use crate::message::Message;
use crate::middleware::Handles;
use crate::middleware::handles::Settings;
use crate::outcome::ErrorKind;
use crate::pipeline::{Facts, Gated, Layer, Role, RouteInfo};
use crate::setting::InvalidSetting;

/// Stops calling a handler that fails, and tries again after a while. Each route has its own breaker, or all
/// routes have one with [`shared`](crate::LayerExt::shared).
///
/// See the [module](super) for an example and for the outcomes that count as failures.
///
/// A clone creates its own instances for its own routes. [`shared`](crate::LayerExt::shared) creates one
/// instance for all routes: see [`Layer`](crate::Layer#one-instance-a-route).
#[derive(Clone)]
pub struct CircuitBreaker {
    window: Window,
    limits: Limits,
    listener: Option<Listener>,
    handles: Handles<CircuitBreakerPolicy>,
}

impl CircuitBreaker {
    /// Opens after this many failures in a row, 1 or more. This is the cheapest window: while closed, the
    /// breaker reads no clock, and a success writes nothing.
    ///
    /// Suits a handler that either works or does not. A handler that fails now and then needs a rate.
    #[must_use]
    pub fn consecutive(failures: u32) -> Self {
        let mut breaker = Self::by(Window::Consecutive);
        breaker.limits.failures = failures;
        breaker
    }

    /// Judges by the last `calls` calls, 1 to 10,000.
    ///
    /// The window does not depend on the traffic, but on a quiet route old calls count for a long time.
    #[must_use]
    pub fn count_window(calls: u32) -> Self {
        Self::by(Window::Calls(calls))
    }

    /// Judges by the calls of the last `length`, 10 ms to 10 min, sliding by a sixteenth of that time. 10 s
    /// are usual: long enough for a rate, and short enough to notice trouble while it is news.
    #[must_use]
    pub fn time_window(length: Duration) -> Self {
        Self::by(Window::Time(length))
    }

    /// Creates a breaker with the defaults for `window`.
    #[must_use]
    pub fn by(window: Window) -> Self {
        Self {
            window,
            limits: Limits::of(window),
            listener: None,
            handles: Handles::default(),
        }
    }

    /// Sets the share of failed calls at which the breaker opens: a millionth to 1, rounded to millionths.
    /// Not for [`consecutive`](Self::consecutive).
    ///
    /// Default 0.5: a handler that fails more often than it works is in trouble whatever its task, and if you
    /// expect fewer failures, you know how many.
    #[must_use]
    pub fn failure_rate(mut self, rate: f64) -> Self {
        self.limits.failure_rate = rate;
        self
    }

    /// Counts a call that takes `after` (1 ns to a day) or longer as slow, whether it fails or not, and opens
    /// at the share `rate` of slow calls, a millionth to 1. Not for [`consecutive`](Self::consecutive).
    ///
    /// Default none, because only you know which calls are slow. Timing calls takes a second reading of the
    /// clock, unless another layer has read it.
    #[must_use]
    pub fn slow_calls(mut self, after: Duration, rate: f64) -> Self {
        self.limits.slow_calls = Some((after, rate));
        self
    }

    /// Counts a call that its caller ended after `time` (1 ns to a day) or later as a failure. A call that
    /// its caller ended earlier counts for nothing, see [`Verdict`](crate::Verdict). Works with each kind of
    /// window, and reads the clock once per call, unless another layer does.
    ///
    /// Default: the time of [`slow_calls`](Self::slow_calls), or none, because only you know how long a
    /// caller should wait. Without this setting and without a timeout inside, a backend that hangs does not
    /// open the breaker as long as every caller has a deadline. The
    /// [preset](crate::middleware::ProductionConfig) has 1 s.
    #[must_use]
    pub fn slow_after(mut self, time: Duration) -> Self {
        self.limits.slow_after = Some(time);
        self
    }

    /// Sets the number of calls in the window below which the breaker never opens: 1 or more, and no more
    /// than a [`count_window`](Self::count_window) holds. Not for [`consecutive`](Self::consecutive).
    ///
    /// Default 20, or the length of a shorter window: with fewer calls, a single call moves the rate by more
    /// than 5 points.
    #[must_use]
    pub fn minimum_calls(mut self, calls: u32) -> Self {
        self.limits.minimum_calls = calls;
        self
    }

    /// Sets how long the breaker stays open before it lets probes through, 1 ns to a day.
    ///
    /// Default 5 s: a restart or a failover is often done by then, and a few probes every 5 s do no harm.
    #[must_use]
    pub fn open_for(mut self, time: Duration) -> Self {
        self.limits.open_for = time;
        self
    }

    /// Multiplies the open time by `factor` (1 to 100) each time that probes fail, up to `longest` (up to a
    /// day). When the breaker closes, the growth is reset.
    ///
    /// Default none: the breaker always stays open for the configured time. Growth is useful where many
    /// clients probe one backend.
    #[must_use]
    pub fn open_growth(mut self, factor: f64, longest: Duration) -> Self {
        self.limits.open_growth = Some((factor, longest));
        self
    }

    /// Sets how many probes a half-open breaker lets through, and the most that run at once: 1 to 63. The
    /// breaker opens again as soon as the failed or slow probes, as a share of this number, reach the rate
    /// (with `consecutive`, at the first failure). The breaker closes when all probes have ended without
    /// that.
    ///
    /// Default 3: one good call may be luck, and three cannot overwhelm a backend that is just recovering.
    #[must_use]
    pub fn half_open_probes(mut self, probes: u32) -> Self {
        self.limits.half_open_probes = probes;
        self
    }

    /// Sets how long a half-open breaker waits for its probes to end, 1 ns to a day. If some probes still run
    /// by then, the breaker opens again, because they may hang for ever. With no probe running, the breaker
    /// waits for calls without a limit.
    ///
    /// The wait begins anew with each probe that its caller ended before [`slow_after`](Self::slow_after). So
    /// where such callers keep coming, a probe that hangs keeps its place until its own time limit ends it.
    ///
    /// Default 30 s: longer than most handlers may take.
    #[must_use]
    pub fn half_open_for(mut self, time: Duration) -> Self {
        self.limits.half_open_for = time;
        self
    }

    /// Calls `listener` after each change of state, on the thread of the call that caused the change and
    /// before that call returns. The listener should be quick, and may use the breaker. A panic of the
    /// listener is caught and dropped.
    #[must_use]
    pub fn on_transition(mut self, listener: impl Fn(&Transition) + Send + Sync + 'static) -> Self {
        self.listener = Some(Listener::new(listener));
        self
    }

    /// Returns the breakers of the routes, to read their state and to change them.
    #[must_use]
    pub fn handles(&self) -> Handles<CircuitBreakerPolicy> {
        self.handles.clone()
    }

    /// Creates a breaker with these settings for use without a bus.
    ///
    /// # Errors
    ///
    /// Returns an error that names the first setting that is out of range.
    pub fn policy(&self) -> Result<CircuitBreakerPolicy, InvalidSetting> {
        self.policy_of("")
    }

    fn policy_of(&self, name: &'static str) -> Result<CircuitBreakerPolicy, InvalidSetting> {
        let policy = CircuitBreakerPolicy::new(self.window, self.limits)?;
        Ok(policy.told_to(self.listener.clone(), name))
    }
}

#[diagnostic::do_not_recommend]
impl<M: Message> Layer<M> for CircuitBreaker {
    type Middleware = Gated<CircuitBreakerGate>;

    const ROLE: Role = Role::CircuitBreaker;

    fn middleware(
        &self,
        route: &RouteInfo,
        previous: Option<&Self::Middleware>,
    ) -> Result<Self::Middleware, InvalidSetting> {
        let policy = self.policy_of(route.name())?;
        let settings = Settings {
            fixed: (self.window, self.listener.as_ref().map(Listener::id)),
            limits: self.limits,
        };
        let previous = previous.map(|previous| &previous.0.policy);
        let policy = self.handles.keep_with_limits_or_add(
            route,
            previous,
            policy,
            settings,
            |policy, limits, _| policy.set_limits(limits),
        );
        Ok(Gated(CircuitBreakerGate::new(policy)))
    }

    fn facts(&self) -> Facts {
        let Limits {
            failures,
            failure_rate: rate,
            open_for,
            ..
        } = self.limits;
        let opens = match self.window {
            Window::Consecutive => format!("after {failures} failures in a row"),
            Window::Calls(calls) => format!("at a rate of {rate} failures in {calls} calls"),
            Window::Time(time) => format!("at a rate of {rate} failures in {time:?}"),
        };
        Facts::new()
            .fails_with(ErrorKind::CircuitOpen)
            .live()
            .note(format!("opens {opens}, for {open_for:?}"))
    }
}

impl fmt::Debug for CircuitBreaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CircuitBreaker")
            .field("window", &self.window)
            .field("limits", &self.limits)
            .field("listener", &self.listener)
            .finish_non_exhaustive()
    }
}
