//! A slow and obvious circuit breaker, which keeps every call and counts anew each time.

use std::time::Duration;

use arcbus::Verdict;
use arcbus::middleware::circuit_breaker::{Limits, State, Window};

/// Number of steps in which a time window slides forward.
const STEPS: u32 = 16;

pub(super) struct Model {
    window: Window,
    pub(super) limits: Limits,
    pub(super) state: State,
    pub(super) metrics_only: bool,
    pub(super) epoch: u32,
    calls: Vec<Call>,
    failures_in_a_row: u32,
    lacks_calls: bool,
    since: Duration,
    growth: i32,
    probes_out: u32,
}

#[derive(Clone, Copy)]
struct Call {
    ended: Duration,
    failed: bool,
    slow: bool,
}

#[derive(Clone, Copy)]
pub(super) struct Ticket {
    /// The epoch of a counted call, or `None` for a call that is not counted.
    epoch: Option<u32>,
    entered: Option<Duration>,
}

impl Model {
    pub(super) fn new(window: Window, limits: Limits) -> Self {
        Self {
            window,
            limits,
            state: State::Closed,
            metrics_only: false,
            epoch: 0,
            calls: Vec::new(),
            failures_in_a_row: 0,
            lacks_calls: false,
            since: Duration::ZERO,
            growth: 0,
            probes_out: 0,
        }
    }

    /// Starts a new epoch of the breaker in the given state.
    fn turn(&mut self, state: State, now: Duration) {
        self.state = state;
        self.epoch += 1;
        self.since = now;
        self.calls.clear();
        self.failures_in_a_row = 0;
        self.lacks_calls = false;
        self.probes_out = 0;
    }

    pub(super) fn force(&mut self, state: State, metrics_only: bool) {
        self.turn(state, Duration::ZERO);
        self.metrics_only = metrics_only;
    }

    fn open(&mut self, now: Duration) {
        let again = self.state == State::HalfOpen;
        self.growth = if again { self.growth + 1 } else { 0 };
        self.turn(State::Open, now);
    }

    fn open_interval(&self) -> Duration {
        let (factor, longest) = self.limits.open_growth.unwrap_or((1.0, Duration::MAX));
        self.limits
            .open_for
            .mul_f64(factor.powi(self.growth))
            .min(longest)
    }

    /// Returns a ticket for the call, or the time after which to try again.
    pub(super) fn admit(&mut self, now: Duration) -> Result<Ticket, Duration> {
        let open_until = self.since + self.open_interval();
        if self.state == State::Open && now >= open_until {
            self.turn(State::HalfOpen, now);
        }
        let half_open_until = self.since + self.limits.half_open_for;
        if self.state == State::HalfOpen && now >= half_open_until && self.probes_out > 0 {
            self.open(now);
        }
        match self.state {
            State::Closed | State::ForcedClosed => Ok(self.ticket(now)),
            State::Open => self.refuse(self.since + self.open_interval() - now),
            State::HalfOpen if self.has_room() => {
                self.probes_out += 1;
                Ok(self.ticket(now))
            }
            State::HalfOpen => self.refuse(half_open_until - now),
            State::ForcedOpen => Err(self.limits.open_for),
            _ => Ok(UNCOUNTED),
        }
    }

    fn has_room(&self) -> bool {
        let probes = self.probes_out + self.calls.len() as u32;
        self.probes_out == 0 || probes < self.limits.half_open_probes
    }

    fn ticket(&self, now: Duration) -> Ticket {
        Ticket {
            epoch: Some(self.epoch),
            entered: self.limits.slow_calls.map(|_| now),
        }
    }

    fn refuse(&self, left: Duration) -> Result<Ticket, Duration> {
        if self.metrics_only {
            Ok(UNCOUNTED)
        } else {
            Err(left)
        }
    }

    pub(super) fn complete(&mut self, ticket: Ticket, verdict: Verdict, now: Duration) {
        if ticket.epoch != Some(self.epoch) {
            return;
        }
        self.probes_out = self.probes_out.saturating_sub(1);
        if verdict == Verdict::Neutral {
            return;
        }
        let slow_after = self
            .limits
            .slow_calls
            .map_or(Duration::MAX, |(after, _)| after);
        let call = Call {
            ended: now,
            failed: verdict == Verdict::Failure,
            slow: ticket
                .entered
                .is_some_and(|entered| now - entered >= slow_after),
        };
        match self.state {
            State::HalfOpen => self.complete_probe(call),
            State::Closed if self.window == Window::Consecutive => self.extend_streak(call),
            State::Closed => self.complete_counted(call),
            State::ForcedClosed if self.window != Window::Consecutive => self.calls.push(call),
            _ => {}
        }
    }

    fn extend_streak(&mut self, call: Call) {
        self.failures_in_a_row = if call.failed {
            self.failures_in_a_row + 1
        } else {
            0
        };
        if self.failures_in_a_row >= self.limits.failures {
            self.open(call.ended);
        }
    }

    fn complete_counted(&mut self, call: Call) {
        self.calls.push(call);
        if !(call.failed || call.slow || self.lacks_calls) {
            return;
        }
        let (calls, failures, slow) = self.counts();
        let is_bad = self.is_bad(failures, slow, calls);
        self.lacks_calls = is_bad && calls < u64::from(self.limits.minimum_calls);
        if is_bad && !self.lacks_calls {
            self.open(call.ended);
        }
    }

    fn complete_probe(&mut self, call: Call) {
        self.calls.push(call);
        let (done, failures, slow) = self.counts();
        let probes = u64::from(self.limits.half_open_probes);
        let is_bad = match self.window {
            Window::Consecutive => failures > 0,
            _ => self.is_bad(failures, slow, probes.max(done)),
        };
        if is_bad {
            self.open(call.ended);
        } else if done >= probes {
            self.turn(State::Closed, call.ended);
        }
    }

    fn is_bad(&self, failures: u64, slow: u64, calls: u64) -> bool {
        let share = |part: u64| part as f64 / calls as f64;
        let slow_rate = self.limits.slow_calls.map_or(2.0, |(_, rate)| rate);
        share(failures) >= self.limits.failure_rate || share(slow) >= slow_rate
    }

    /// Returns the numbers of calls, of failures and of slow calls in the window.
    pub(super) fn counts(&self) -> (u64, u64, u64) {
        if self.window == Window::Consecutive && self.state == State::Closed {
            return (0, self.failures_in_a_row.into(), 0);
        }
        let calls = self.in_window();
        let count = |is: fn(&Call) -> bool| calls.iter().filter(|call| is(call)).count() as u64;
        (
            count(|_| true),
            count(|call| call.failed),
            count(|call| call.slow),
        )
    }

    fn in_window(&self) -> Vec<Call> {
        let Some(last) = self.calls.last() else {
            return Vec::new();
        };
        let step =
            |call: &Call, length: Duration| call.ended.as_nanos() / (length / STEPS).as_nanos();
        match self.window {
            _ if self.state == State::HalfOpen => self.calls.clone(),
            Window::Calls(length) => {
                let beyond = self.calls.len().saturating_sub(length as usize);
                self.calls[beyond..].to_vec()
            }
            Window::Time(length) => {
                let now = step(last, length);
                let is_in = |call: &&Call| now - step(call, length) < u128::from(STEPS);
                self.calls.iter().filter(is_in).copied().collect()
            }
            _ => Vec::new(),
        }
    }
}

const UNCOUNTED: Ticket = Ticket {
    epoch: None,
    entered: None,
};
