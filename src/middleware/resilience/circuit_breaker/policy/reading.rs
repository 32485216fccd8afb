//! [`Reading`]: a snapshot of a breaker.

use super::window::{Counts, SlidingWindow};
use super::word::{State, Word};
use super::{CircuitBreakerPolicy, JudgesBy};

/// A snapshot of the state and the counts of a breaker at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    state: State,
    is_metrics_only: bool,
    epoch: u32,
    counts: Counts,
}

impl Reading {
    /// Returns the state. A breaker whose open time is over stays open until the next call.
    #[must_use]
    pub fn state(&self) -> State {
        self.state
    }

    /// Returns whether the breaker rejects no call: see [`metrics_only`](CircuitBreakerPolicy::metrics_only).
    #[must_use]
    pub fn is_metrics_only(&self) -> bool {
        self.is_metrics_only
    }

    /// Returns the epoch, which grows by one with each change of state, modulo 2^30.
    #[must_use]
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    /// Returns the number of calls in the window, or of the probes that have ended in a half-open breaker. A
    /// time window is reported as of the last counted call. Returns 0 while a closed breaker counts failures
    /// in a row.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.counts.calls
    }

    /// Returns the number of these calls that failed, or the number of failures in a row.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.counts.failures
    }

    /// Returns the number of these calls that were slow, whether they failed or not.
    #[must_use]
    pub fn slow(&self) -> u64 {
        self.counts.slow
    }

    /// Returns the share of calls that failed, 0 to 1, or 0 without calls.
    #[must_use]
    pub fn failure_rate(&self) -> f64 {
        self.share(self.counts.failures)
    }

    /// Returns the share of calls that were slow, 0 to 1, or 0 without calls.
    #[must_use]
    pub fn slow_rate(&self) -> f64 {
        self.share(self.counts.slow)
    }

    fn share(&self, part: u64) -> f64 {
        match self.counts.calls {
            0 => 0.0,
            calls => part as f64 / calls as f64,
        }
    }
}

impl CircuitBreakerPolicy {
    /// Returns the state. A breaker whose open time is over stays open until the next call.
    #[must_use]
    pub fn state(&self) -> State {
        self.word.load().state()
    }

    /// Returns the state, the epoch and the counts. Calls that are counted in the meantime may be included or
    /// not.
    #[must_use]
    pub fn reading(&self) -> Reading {
        let word = self.word.load();
        Reading {
            state: word.state(),
            is_metrics_only: word.is_metrics_only(),
            epoch: word.epoch(),
            counts: match word.state() {
                State::Closed | State::ForcedClosed => self.window_of(word),
                State::HalfOpen => probes_of(word),
                _ => Counts::default(),
            },
        }
    }

    fn window_of(&self, word: Word) -> Counts {
        match &self.judges_by {
            JudgesBy::Calls(window) => window.latest(word.epoch()),
            JudgesBy::Time(window) => window.latest(word.epoch()),
            JudgesBy::Streak => Counts {
                failures: word.failures().into(),
                ..Counts::default()
            },
        }
    }
}

fn probes_of(word: Word) -> Counts {
    let probes = word.probes();
    Counts {
        calls: probes.done.into(),
        failures: probes.failed.into(),
        slow: probes.slow.into(),
    }
}
