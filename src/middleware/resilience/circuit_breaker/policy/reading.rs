//! [`Reading`]: what a breaker knows.

use super::window::{Counts, SlidingWindow};
use super::word::{State, Word};
use super::{CircuitBreakerPolicy, JudgesBy};

/// What a breaker knows at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    state: State,
    is_metrics_only: bool,
    epoch: u32,
    counts: Counts,
}

impl Reading {
    /// The state. An open breaker whose time is over is open until a call comes.
    #[must_use]
    pub fn state(&self) -> State {
        self.state
    }

    /// Whether it refuses nobody: [`metrics_only`](CircuitBreakerPolicy::metrics_only).
    #[must_use]
    pub fn is_metrics_only(&self) -> bool {
        self.is_metrics_only
    }

    /// One more with each change of state, modulo 2^30.
    #[must_use]
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    /// The calls in the window; of a half-open breaker, the probes that have ended. A window of time is
    /// as it was when a call was counted last. 0 where failures in a row are counted.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.counts.calls
    }

    /// How many of them failed; or the failures in a row.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.counts.failures
    }

    /// How many of them were slow, whether they failed or not.
    #[must_use]
    pub fn slow(&self) -> u64 {
        self.counts.slow
    }

    /// The share of calls that failed, 0 to 1; 0 without calls.
    #[must_use]
    pub fn failure_rate(&self) -> f64 {
        self.share(self.counts.failures)
    }

    /// The share of calls that were slow, 0 to 1; 0 without calls.
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
    /// The state. An open breaker whose time is over is open until a call comes.
    #[must_use]
    pub fn state(&self) -> State {
        self.word.load().state()
    }

    /// State, epoch and what is counted. What calls count meanwhile may be in it or not.
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
