//! Admission of calls.

use std::time::Duration;

use super::CircuitBreakerPolicy;
use super::admission::{Admission, Refused, Ticket, UNTIMED};
use super::rules::NEVER;
use super::word::{State, Word};
use crate::clock::nanos;

impl CircuitBreakerPolicy {
    /// Admits a call, or rejects it. An admitted call must be [completed](Admission::complete).
    ///
    /// # Errors
    ///
    /// Returns [`Refused`] while the breaker is open, or half-open with all its probes running.
    pub fn try_admit(&self, now: Duration) -> Result<Admission<'_>, Refused> {
        let now = || nanos(now);
        self.admit_at(now, now)
    }

    /// Admits a call like [`try_admit`](Self::try_admit), in ticks of the clock. A closed breaker reads two
    /// words, and the time only if calls are timed. `tick` returns a fixed value, which may have been read
    /// long ago, and `now` reads the clock anew.
    #[inline(always)]
    pub(in super::super) fn admit_at(
        &self,
        tick: impl Fn() -> u64,
        now: impl Fn() -> u64,
    ) -> Result<Admission<'_>, Refused> {
        let word = self.word.load();
        let ticket = if word.is(State::Closed) {
            self.counted(word, tick)
        } else {
            self.admit_unless_closed(&tick, &now)?
        };
        Ok(Admission::new(self, ticket))
    }

    #[inline(always)]
    fn counted(&self, word: Word, now: impl Fn() -> u64) -> Ticket {
        let is_timed = self.rules.slow_calls_after() != NEVER;
        Ticket::new(word.tag(), if is_timed { now() } else { UNTIMED })
    }

    #[cold]
    #[inline(never)]
    fn admit_unless_closed(
        &self,
        tick: &dyn Fn() -> u64,
        now: &dyn Fn() -> u64,
    ) -> Result<Ticket, Refused> {
        loop {
            let word = self.word.load();
            let ticket = match word.state() {
                State::Closed | State::ForcedClosed => Some(self.counted(word, tick)),
                State::Disabled => Some(Ticket::UNCOUNTED),
                State::ForcedOpen => return Err(refused(self.rules.read().open_for)),
                State::Open => self.end_of_open(word, self.opened.present(tick(), now))?,
                State::HalfOpen => self.probe(word, self.half_opened.present(tick(), now))?,
            };
            if let Some(ticket) = ticket {
                return Ok(ticket);
            }
        }
    }

    /// Turns a breaker whose open time is over half-open. The caller then loads the word again.
    fn end_of_open(&self, word: Word, now: u64) -> Result<Option<Ticket>, Refused> {
        let interval = self.rules.read().open_interval(word.growth());
        match self.opened.left(interval, now) {
            0 => {
                self.half_opened.raise(now);
                self.turn_by(|is| (is == word).then(|| word.half_opened()));
                Ok(None)
            }
            left => refuse(word, left).map(Some),
        }
    }

    /// Reserves a probe. The reservation is part of the half-open word: no more probes run than the limit
    /// allows, and none starts after the state has changed.
    fn probe(&self, word: Word, now: u64) -> Result<Option<Ticket>, Refused> {
        let rules = self.rules.read();
        let left = self.half_opened.left(rules.half_open_for, now);
        if left == 0 && word.probes_out() > 0 {
            self.turn_by(|is| (is == word).then(|| self.opening(word, now)));
            return Ok(None);
        }
        if !word.has_room(rules.probes) {
            return refuse(word, left).map(Some);
        }
        let is_reserved = self.word.change(word, word.probe_sent());
        Ok(is_reserved.then(|| self.counted(word, || now)))
    }
}

/// Rejects a call, or admits it uncounted in the mode that only records metrics.
fn refuse(word: Word, left: u64) -> Result<Ticket, Refused> {
    if word.is_metrics_only() {
        Ok(Ticket::UNCOUNTED)
    } else {
        Err(refused(left))
    }
}

fn refused(left: u64) -> Refused {
    Refused {
        retry_after: Duration::from_nanos(left),
    }
}
