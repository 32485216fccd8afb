//! [`CircuitBreaker`]: the layer.

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

/// Stops calling a handler that fails, and tries again after a while. One breaker a route, or one for
/// all with [`shared`](crate::LayerExt::shared).
///
/// See the [module](super) for an example and for what counts as a failure.
///
/// A clone makes instances of its own, for routes of its own; [`shared`](crate::LayerExt::shared) makes one
/// for all: see [`Layer`](crate::Layer#one-instance-a-route).
#[derive(Clone)]
pub struct CircuitBreaker {
    window: Window,
    limits: Limits,
    listener: Option<Listener>,
    handles: Handles<CircuitBreakerPolicy>,
}

impl CircuitBreaker {
    /// Opens after so many failures in a row, 1 or more. The cheapest: no clock is read while it is
    /// closed, and a success writes nothing.
    ///
    /// For a handler that either works or does not. One that fails now and then needs a rate.
    #[must_use]
    pub fn consecutive(failures: u32) -> Self {
        let mut breaker = Self::by(Window::Consecutive);
        breaker.limits.failures = failures;
        breaker
    }

    /// Judges by the last so many calls, 1 to 10,000.
    ///
    /// The same whatever the traffic; but on a quiet route old calls count for long.
    #[must_use]
    pub fn count_window(calls: u32) -> Self {
        Self::by(Window::Calls(calls))
    }

    /// Judges by the calls of this time, 10 ms to 10 min, sliding by a sixteenth of it. 10 s are usual:
    /// long enough for a rate, short enough for trouble to be news.
    #[must_use]
    pub fn time_window(length: Duration) -> Self {
        Self::by(Window::Time(length))
    }

    /// With the defaults for `window`.
    #[must_use]
    pub fn by(window: Window) -> Self {
        Self {
            window,
            limits: Limits::of(window),
            listener: None,
            handles: Handles::default(),
        }
    }

    /// The share of failed calls at which it opens: a millionth to 1, rounded to millionths. Not for
    /// [`consecutive`](Self::consecutive).
    ///
    /// Default 0.5: more often broken than not is trouble whatever the handler does, and who expects
    /// fewer failures knows how many.
    #[must_use]
    pub fn failure_rate(mut self, rate: f64) -> Self {
        self.limits.failure_rate = rate;
        self
    }

    /// A call that takes `after` (1 ns to a day) or longer is slow, whether it fails or not; opens at
    /// this share of slow calls, a millionth to 1. Not for [`consecutive`](Self::consecutive).
    ///
    /// Default none: what is slow only you know. Timing calls takes a second reading of the clock, where
    /// no other layer has asked for it.
    #[must_use]
    pub fn slow_calls(mut self, after: Duration, rate: f64) -> Self {
        self.limits.slow_calls = Some((after, rate));
        self
    }

    /// A call that its caller ended after `time` (1 ns to a day) or later is a failure; one that it ended before
    /// counts for nothing, see [`Verdict`](crate::Verdict). For each kind of window.
    ///
    /// Default: the time of [`slow_calls`](Self::slow_calls), or none: how long anybody should wait only you
    /// know. Without it, and without a timeout inside, a backend that hangs does not open the breaker as long as
    /// every caller has a deadline. The [preset](crate::middleware::ProductionConfig) has 1 s. Reads the clock once
    /// a call, where no other layer does.
    #[must_use]
    pub fn slow_after(mut self, time: Duration) -> Self {
        self.limits.slow_after = Some(time);
        self
    }

    /// With fewer calls in the window than this it does not open: 1 or more, and no more than a
    /// [`count_window`](Self::count_window) holds. Not for [`consecutive`](Self::consecutive).
    ///
    /// Default 20, or the length of a shorter window: with fewer, one call moves the rate by more than 5
    /// points.
    #[must_use]
    pub fn minimum_calls(mut self, calls: u32) -> Self {
        self.limits.minimum_calls = calls;
        self
    }

    /// How long it stays open before it lets probes through, 1 ns to a day.
    ///
    /// Default 5 s: a restart or a failover is often done by then, and a few probes every 5 s hurt
    /// nobody.
    #[must_use]
    pub fn open_for(mut self, time: Duration) -> Self {
        self.limits.open_for = time;
        self
    }

    /// Each time that probes fail it stays open `factor` times (1 to 100) as long as before, up to
    /// `longest` (up to a day). When it closes, that is forgotten.
    ///
    /// Default none: it stays open for as long as you say. Useful where many clients probe one backend.
    #[must_use]
    pub fn open_growth(mut self, factor: f64, longest: Duration) -> Self {
        self.limits.open_growth = Some((factor, longest));
        self
    }

    /// How many calls are let through, at most that many at once, to see whether it can be closed: 1 to
    /// 63. It opens again as soon as so many of them have failed, or were slow, that their share of this
    /// number reaches the rate (of `consecutive`, with the first that fails), and closes when all have
    /// ended without that.
    ///
    /// Default 3: one good call may be luck, and three cannot overwhelm what is just getting up.
    #[must_use]
    pub fn half_open_probes(mut self, probes: u32) -> Self {
        self.limits.half_open_probes = probes;
        self
    }

    /// How long the end of probes is waited for, 1 ns to a day. If some are still out by then, it opens
    /// again: they may hang for ever. With none out it waits for calls, for as long as it takes. The wait
    /// begins anew with each probe that its caller ended before [`slow_after`](Self::slow_after), so where such
    /// callers keep coming, a probe that hangs keeps its place until its own time limit ends it.
    ///
    /// Default 30 s: longer than most handlers may take.
    #[must_use]
    pub fn half_open_for(mut self, time: Duration) -> Self {
        self.limits.half_open_for = time;
        self
    }

    /// Calls `listener` after each change of state, on the thread of the call that brought it about and
    /// before that call returns: it should be quick. It may use the breaker. A panic in it is caught and
    /// dropped.
    #[must_use]
    pub fn on_transition(mut self, listener: impl Fn(&Transition) + Send + Sync + 'static) -> Self {
        self.listener = Some(Listener::new(listener));
        self
    }

    /// Where the breakers of its routes can be found.
    #[must_use]
    pub fn handles(&self) -> Handles<CircuitBreakerPolicy> {
        self.handles.clone()
    }

    /// A breaker with these settings to be used without a bus.
    ///
    /// # Errors
    ///
    /// The first setting that is out of range.
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
