//! [`CircuitBreakerPolicy`]: the state machine.

mod admission;
mod admit;
mod complete;
mod control;
mod count_window;
mod limits;
mod moment;
mod reading;
mod rules;
mod tally;
mod time_window;
mod transition;
mod window;
mod word;

use std::fmt;

pub use admission::{Admission, Refused};
pub use limits::{Limits, Window};
pub use reading::Reading;
pub(super) use transition::Listener;
pub use transition::Transition;
pub use word::State;

use crate::setting::InvalidSetting;
use count_window::CountWindow;
use moment::Moment;
use rules::{Rules, RulesCell};
use time_window::TimeWindow;
use word::WordCell;

/// A circuit breaker without a bus. The breaker decides whether a call may be made, and is told how the call
/// ended ([`Admission::complete`]), or that its caller ended it ([`Admission::abandon`]).
///
/// `now` is the time since an origin of the caller's choice, which never changes. Nothing here waits or takes
/// a lock, except that threads which change limits take turns.
///
/// ```
/// use std::time::Duration;
/// use arcbus::Verdict;
/// use arcbus::middleware::circuit_breaker::{CircuitBreaker, State};
///
/// let breaker = CircuitBreaker::consecutive(2).half_open_probes(1).policy()?;
/// let second = Duration::from_secs(1);
/// for _ in 0..2 {
///     let admission = breaker.try_admit(second).expect("it is closed");
///     admission.complete(Verdict::Failure, second);
/// }
/// assert_eq!(breaker.state(), State::Open);
/// let refused = breaker.try_admit(2 * second).unwrap_err();
/// assert_eq!(refused.retry_after(), 4 * second);
///
/// let probe = breaker.try_admit(6 * second).expect("its time is over");
/// probe.complete(Verdict::Success, 6 * second);
/// assert_eq!(breaker.state(), State::Closed);
/// # Ok::<(), arcbus::InvalidSetting>(())
/// ```
pub struct CircuitBreakerPolicy {
    word: WordCell,
    rules: RulesCell,
    judges_by: JudgesBy,
    opened: Moment,
    half_opened: Moment,
    window: Window,
    listener: Option<Listener>,
    name: &'static str,
}

#[derive(Debug)]
enum JudgesBy {
    /// The failures in a row, which are stored in the word.
    Streak,
    Calls(CountWindow),
    Time(TimeWindow),
}

impl CircuitBreakerPolicy {
    /// Creates a closed breaker.
    ///
    /// # Errors
    ///
    /// Returns an error that names the first setting that is out of range.
    pub fn new(window: Window, limits: Limits) -> Result<Self, InvalidSetting> {
        limits.check(window)?;
        Ok(Self {
            word: WordCell::new(),
            rules: RulesCell::new(&Rules::of(&limits, window)),
            judges_by: match window {
                Window::Consecutive => JudgesBy::Streak,
                Window::Calls(length) => JudgesBy::Calls(CountWindow::new(length)),
                Window::Time(length) => JudgesBy::Time(TimeWindow::new(length)),
            },
            opened: Moment::default(),
            half_opened: Moment::default(),
            window,
            listener: None,
            name: "",
        })
    }

    /// Sets the `listener`, which is called after every change of state.
    #[must_use]
    pub(super) fn told_to(mut self, listener: Option<Listener>, name: &'static str) -> Self {
        (self.listener, self.name) = (listener, name);
        self
    }
}

impl fmt::Debug for CircuitBreakerPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CircuitBreakerPolicy")
            .field("window", &self.window)
            .field("reading", &self.reading())
            .field("limits", &self.limits())
            .finish_non_exhaustive()
    }
}
