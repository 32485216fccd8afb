//! Counting the outcomes of calls.

use super::admission::Ticket;
use super::rules::{Health, Probed, Rules, TIMED};
use super::window::SlidingWindow;
use super::word::{State, Word};
use super::{CircuitBreakerPolicy, JudgesBy};
use crate::outcome::Verdict;

impl CircuitBreakerPolicy {
    /// Counts a completed call. A good call of a closed breaker writes one word, by one locked instruction. A
    /// breaker that counts failures in a row, and has none, writes nothing. All other cases are cold.
    ///
    /// `now` returns a fixed value, and is called only for a time window, for timed calls, and when the
    /// breaker opens.
    #[inline(always)]
    pub(super) fn complete_at(
        &self,
        ticket: Ticket,
        verdict: Verdict,
        now: impl Fn() -> u64 + Copy,
    ) {
        let word = self.word.load();
        let is_in_time = word.tag() == ticket.tag && word.is(State::Closed);
        if verdict != Verdict::Success || !is_in_time {
            // A copy, so that the values borrowed by `now` are in memory only on this path. The calls below
            // copy for this reason, too.
            return self.complete_otherwise(ticket, verdict, &{ now });
        }
        match &self.judges_by {
            JudgesBy::Streak if word.is_plain() => {}
            JudgesBy::Streak => self.end_streak(ticket.tag),
            JudgesBy::Calls(window) => self.count_good(window, ticket, word, now),
            JudgesBy::Time(window) => self.count_good(window, ticket, word, now),
        }
    }

    #[inline(always)]
    fn count_good<W: SlidingWindow>(
        &self,
        window: &W,
        ticket: Ticket,
        word: Word,
        now: impl Fn() -> u64 + Copy,
    ) {
        let slow_after = self.rules.slow_calls_after();
        let is_asked = W::ASKS_TIME || slow_after < TIMED;
        let ended = if is_asked { now() } else { 0 };
        if ticket.is_slow(slow_after, ended) {
            return self.count_bad(window, ticket, Verdict::Success, &{ now });
        }
        let place = window.count(ticket.tag.epoch(), ended);
        // A call that ends while the breaker begins to watch may miss the change, but the next call sees it.
        if word.is_watched()
            && let Some(place) = place
        {
            self.judge(window, word, place, &self.rules.read(), &{ now });
        }
    }

    #[cold]
    #[inline(never)]
    fn complete_otherwise(&self, ticket: Ticket, verdict: Verdict, now: &dyn Fn() -> u64) {
        match ticket.tag.state() {
            _ if verdict == Verdict::Neutral => self.give_back(ticket),
            State::HalfOpen => self.end_probe(ticket, verdict, now),
            State::Closed | State::ForcedClosed if self.word.load().tag() == ticket.tag => {
                match &self.judges_by {
                    JudgesBy::Streak => self.extend_streak(ticket.tag, verdict, now),
                    JudgesBy::Calls(window) => self.count_bad(window, ticket, verdict, now),
                    JudgesBy::Time(window) => self.count_bad(window, ticket, verdict, now),
                }
            }
            _ => {}
        }
    }

    /// Counts a call that its caller ended: not at all, or as a failure if the call had run for long.
    #[cold]
    #[inline(never)]
    pub(super) fn abandon_at(&self, ticket: Ticket, now: &dyn Fn() -> u64) {
        let slow_after = self.rules.read().slow_after();
        let is_slow = ticket.is_timed() && ticket.is_slow(slow_after, now());
        match Verdict::of_abandoned(is_slow) {
            Verdict::Neutral => self.give_back_hasty(ticket, now),
            verdict => self.complete_otherwise(ticket, verdict, now),
        }
    }

    /// Returns a probe whose caller was hasty, and restarts the wait for the end of the probes. Where all
    /// callers are hasty, one of their probes is always running, and that must not open the breaker again.
    fn give_back_hasty(&self, ticket: Ticket, now: &dyn Fn() -> u64) {
        if ticket.is_probe() && self.word.load().tag() == ticket.tag {
            self.half_opened.raise(now());
            self.give_back(ticket);
        }
    }

    /// Returns the place of a probe that did not end, so that another call can use it.
    pub(super) fn give_back(&self, ticket: Ticket) {
        if ticket.is_probe() {
            let give = |word: Word| (word.tag() == ticket.tag).then(|| word.probe_given_back());
            self.word.step(give);
        }
    }

    #[cold]
    fn end_streak(&self, tag: Word) {
        let end = |word: Word| (word.tag() == tag && !word.is_plain()).then(|| word.tag());
        self.word.step(end);
    }

    fn extend_streak(&self, tag: Word, verdict: Verdict, now: &dyn Fn() -> u64) {
        if verdict != Verdict::Failure || !tag.is(State::Closed) {
            return;
        }
        let most = self.rules.read().failures;
        self.turn_by(|word| {
            let failures = word.failures() + 1;
            (word.tag() == tag).then(|| {
                if failures < most {
                    word.with_failures(failures)
                } else {
                    self.opening(word, now())
                }
            })
        });
    }

    /// Counts a call that failed or may have been slow.
    #[cold]
    fn count_bad<W: SlidingWindow>(
        &self,
        window: &W,
        ticket: Ticket,
        verdict: Verdict,
        now: &dyn Fn() -> u64,
    ) {
        let (rules, epoch) = (self.rules.read(), ticket.tag.epoch());
        let failed = verdict == Verdict::Failure;
        let slow = ticket.is_timed() && ticket.is_slow(rules.slow_calls_after, now());
        let ended = if W::ASKS_TIME { now() } else { 0 };
        let Some(place) = window.count(epoch, ended) else {
            return;
        };
        window.mark(epoch, place, failed, slow);
        // The later of two threads that count bad calls sees the counts of both.
        let watch = |word: Word| (word.tag() == ticket.tag).then(|| word.marked());
        if let Some((_, word)) = self.word.step(watch) {
            self.judge(window, word, place, &rules, now);
        }
    }

    /// Opens the breaker if the window is bad. Keeps watching if the rate is reached but the calls are too
    /// few. If another bad call was counted in the meantime, only that call may end the watch.
    #[cold]
    fn judge<W: SlidingWindow>(
        &self,
        window: &W,
        word: Word,
        place: W::Place,
        rules: &Rules,
        now: &dyn Fn() -> u64,
    ) {
        let tag = word.tag();
        match window.judge(tag.epoch(), place, rules) {
            _ if !word.is(State::Closed) => {}
            Health::TooFewCalls => {}
            Health::Good => {
                self.word.change(word, word.unwatched());
            }
            Health::Bad => {
                let now = now();
                self.turn_by(|word| (word.tag() == tag).then(|| self.opening(word, now)));
            }
        }
    }

    fn end_probe(&self, ticket: Ticket, verdict: Verdict, now: &dyn Fn() -> u64) {
        let rules = self.rules.read();
        let slow = ticket.is_timed() && ticket.is_slow(rules.slow_calls_after, now());
        self.turn_by(|word| {
            (word.tag() == ticket.tag).then(|| {
                let done = word.probe_done(verdict == Verdict::Failure, slow);
                match rules.judge_probes(done.probes()) {
                    Probed::Undecided => done,
                    Probed::Good => word.closed(),
                    Probed::Bad => self.opening(word, now()),
                }
            })
        });
    }

    /// Returns the word after the breaker has opened at the tick `now`.
    pub(super) fn opening(&self, word: Word, now: u64) -> Word {
        self.opened.raise(now);
        word.opened()
    }
}
