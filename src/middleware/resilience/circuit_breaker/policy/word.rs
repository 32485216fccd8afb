//! [`Word`]: the whole state of a breaker except its window, in 64 bits; and the cell that holds it.
//!
//! | bits | closed | open | half-open |
//! |---|---|---|---|
//! | 0 to 2 | the state | the state | the state |
//! | 3 | metrics only | metrics only | metrics only |
//! | 4 to 33 | failures in a row; or bit 4 watched, above it marks | growth in bits 28 to 33 | probes out, done, failed, slow and growth, 6 bits each |
//! | 34 to 63 | epoch | epoch | epoch |
//!
//! Every change of state is one compare-and-swap of the whole word, and begins a new epoch. State and epoch
//! together are a word's [`tag`](Word::tag): a call that was admitted under a tag counts only while the word
//! has that tag.

use crate::sync::{AtomicU64, Ordering};

const STATE: u64 = 0b111;
const METRICS_ONLY: u64 = 1 << 3;
/// The unit of the epoch, whose field is the highest, so that it wraps.
const EPOCH: u64 = 1 << 34;
/// The bits that may change during an epoch.
const PAYLOAD: u64 = (EPOCH - 1) & !(STATE | METRICS_ONLY);

/// The unit of the failures in a row.
const FAILURE: u64 = 1 << 4;
/// The flag to judge the window after each call.
const WATCHED: u64 = 1 << 4;
/// The unit of the marks, which count bad calls modulo the 29 bits of the field.
const MARK: u64 = 1 << 5;

/// The units of the probes that run, are done, failed or were slow, and of the times that probes failed in a
/// row.
const OUT: u64 = 1 << 4;
const DONE: u64 = 1 << 10;
const FAILED: u64 = 1 << 16;
const SLOW: u64 = 1 << 22;
const GROWTH: u64 = 1 << 28;
const FIELD: u64 = 0b11_1111;

/// The maximum of each field of six bits.
pub(super) const MOST_PROBES: u32 = FIELD as u32;
/// The maximum limit of failures in a row.
pub(super) const MOST_FAILURES: u32 = (PAYLOAD / FAILURE) as u32;

/// The state of a circuit breaker, which decides about calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum State {
    /// Admits all calls and counts how they end.
    Closed,
    /// Rejects all calls until its open time is over.
    Open,
    /// Admits a few probes and decides by how they end.
    HalfOpen,
    /// Rejects all calls until changed by hand.
    ForcedOpen,
    /// Admits all calls until changed by hand. Counts them, but never opens.
    ForcedClosed,
    /// Admits all calls until changed by hand, and counts nothing.
    Disabled,
}

impl State {
    const ALL: [Self; 6] = [
        Self::Closed,
        Self::Open,
        Self::HalfOpen,
        Self::ForcedOpen,
        Self::ForcedClosed,
        Self::Disabled,
    ];

    const fn bits(self) -> u64 {
        self as u64
    }
}

/// The number of probes of a half-open breaker that have ended so far, and of the failed and slow ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Probes {
    pub(super) done: u32,
    pub(super) failed: u32,
    pub(super) slow: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Word(u64);

impl Word {
    /// The tag of calls that are admitted and not counted.
    pub(super) const UNCOUNTED: Self = Self(State::Disabled.bits());

    /// Returns state and epoch, without the payload.
    #[inline(always)]
    pub(super) fn tag(self) -> Self {
        Self(self.0 & !PAYLOAD)
    }

    #[inline(always)]
    pub(super) fn is(self, state: State) -> bool {
        self.0 & STATE == state.bits()
    }

    pub(super) fn state(self) -> State {
        State::ALL[(self.0 & STATE) as usize]
    }

    pub(super) fn is_metrics_only(self) -> bool {
        self.0 & METRICS_ONLY != 0
    }

    #[inline(always)]
    pub(super) fn epoch(self) -> u32 {
        (self.0 / EPOCH) as u32
    }

    /// Returns whether the payload beside state and epoch is zero.
    #[inline(always)]
    pub(super) fn is_plain(self) -> bool {
        self.0 & PAYLOAD == 0
    }

    /// Returns the word of the next epoch, in `state`.
    fn next(self, state: State) -> Self {
        let kept = self.0 & !(PAYLOAD | STATE);
        Self(kept.wrapping_add(EPOCH) | state.bits())
    }

    /// Returns the word after a change by hand, which also ends `metrics_only`.
    pub(super) fn forced(self, state: State) -> Self {
        let next = self.next(state);
        Self(next.0 & !METRICS_ONLY)
    }

    pub(super) fn with_metrics_only(self) -> Self {
        Self(self.next(State::Closed).0 | METRICS_ONLY)
    }

    pub(super) fn closed(self) -> Self {
        self.next(State::Closed)
    }

    /// Returns the word of an open breaker. After a half-open phase, the open time grows.
    pub(super) fn opened(self) -> Self {
        let growth = match self.state() {
            State::HalfOpen => u64::from((self.growth() + 1).min(MOST_PROBES)),
            _ => 0,
        };
        Self(self.next(State::Open).0 | (growth * GROWTH))
    }

    /// Returns the word of a half-open breaker, with no probe yet.
    pub(super) fn half_opened(self) -> Self {
        let growth = u64::from(self.growth());
        Self(self.next(State::HalfOpen).0 | (growth * GROWTH))
    }

    fn field(self, one: u64) -> u32 {
        ((self.0 / one) & FIELD) as u32
    }

    /// Returns how often in a row probes have failed, for an open or half-open word.
    pub(super) fn growth(self) -> u32 {
        self.field(GROWTH)
    }

    pub(super) fn probes_out(self) -> u32 {
        self.field(OUT)
    }

    pub(super) fn probes(self) -> Probes {
        Probes {
            done: self.field(DONE),
            failed: self.field(FAILED),
            slow: self.field(SLOW),
        }
    }

    /// Returns whether another probe may start. A probe may always start if none is running, because its end
    /// decides. That holds even if the limit of probes was lowered to the number already done.
    pub(super) fn has_room(self, probes: u32) -> bool {
        let out = self.probes_out();
        out == 0 || out + self.probes().done < probes
    }

    pub(super) fn probe_sent(self) -> Self {
        Self(self.0 + OUT)
    }

    pub(super) fn probe_given_back(self) -> Self {
        Self(self.0 - OUT)
    }

    /// Counts a probe that has ended. A full field stays unchanged, which only a limit that was lowered and
    /// raised can cause.
    pub(super) fn probe_done(self, failed: bool, slow: bool) -> Self {
        let back = self.probe_given_back();
        if back.probes().done == MOST_PROBES {
            return back;
        }
        Self(back.0 + DONE + u64::from(failed) * FAILED + u64::from(slow) * SLOW)
    }

    /// Returns the number of failures in a row, for a closed word.
    pub(super) fn failures(self) -> u32 {
        ((self.0 & PAYLOAD) / FAILURE) as u32
    }

    pub(super) fn with_failures(self, failures: u32) -> Self {
        Self(self.tag().0 | (u64::from(failures) * FAILURE))
    }

    #[inline(always)]
    pub(super) fn is_watched(self) -> bool {
        self.0 & WATCHED != 0
    }

    /// Marks a bad call, and begins to watch the window. The result differs from the previous word even if
    /// the window was watched already, so that a thread that judged earlier cannot end the watch.
    pub(super) fn marked(self) -> Self {
        let marks = self.0.wrapping_add(MARK) & PAYLOAD;
        Self(self.tag().0 | marks | WATCHED)
    }

    pub(super) fn unwatched(self) -> Self {
        Self(self.0 & !WATCHED)
    }
}

/// The cell that holds the word.
///
/// Each change is a compare-and-swap by Release of a word that was loaded by Acquire. All changes are in one
/// order, and each sees the counts that earlier changes have added to the window. The swap need not acquire
/// again, because it finds the word that was loaded. No word occurs twice with different counts behind it,
/// because each bad call adds a mark. Models: `circuit_breaker`.
#[derive(Debug)]
pub(super) struct WordCell(AtomicU64);

impl WordCell {
    pub(super) fn new() -> Self {
        Self(AtomicU64::new(State::Closed.bits()))
    }

    /// Acquire: pairs with the Release of [`change`](Self::change). A thread that finds the breaker open also
    /// sees the moment at which it opened.
    #[inline(always)]
    pub(super) fn load(&self) -> Word {
        Word(self.0.load(Ordering::Acquire))
    }

    /// Replaces `word` with `next`, and returns `false` if another thread has changed the word. The caller
    /// then loads it again.
    pub(super) fn change(&self, word: Word, next: Word) -> bool {
        self.0
            .compare_exchange(word.0, next.0, Ordering::Release, Ordering::Relaxed)
            .is_ok()
    }

    /// Changes the word to the result of `step`, and repeats that until the change succeeds or `step` returns
    /// `None`. Returns the words before and after.
    pub(super) fn step(&self, mut step: impl FnMut(Word) -> Option<Word>) -> Option<(Word, Word)> {
        loop {
            let word = self.load();
            let next = step(word)?;
            if self.change(word, next) {
                return Some((word, next));
            }
        }
    }
}

#[cfg(all(test, not(arcbus_loom)))]
mod tests {
    use super::*;

    const NEW: Word = Word(0);

    #[test]
    fn every_change_of_state_begins_an_epoch() {
        let open = NEW.opened();
        let half = open.half_opened();
        let steps = [open, half, half.opened(), half.closed()];
        assert_eq!(steps.map(Word::epoch), [1, 2, 3, 3]);
        let states = [State::Open, State::HalfOpen, State::Open, State::Closed];
        assert_eq!(steps.map(Word::state), states);
        assert!(steps[3].is_plain());
    }

    #[test]
    fn the_epoch_wraps_and_leaves_the_rest_alone() {
        let last = Word(!(PAYLOAD | STATE));
        assert_eq!(last.epoch(), (1 << 30) - 1);
        let next = last.opened();
        assert_eq!((next.epoch(), next.state()), (0, State::Open));
        assert!(next.is_metrics_only());
    }

    #[test]
    fn growth_is_kept_between_probes_and_saturates() {
        let mut open = NEW.opened();
        assert_eq!(open.growth(), 0);
        for nth in 1..=100 {
            open = open.half_opened().opened();
            assert_eq!(open.growth(), nth.min(63));
        }
        assert_eq!(open.half_opened().closed().opened().growth(), 0);
    }

    #[test]
    fn probes_go_out_and_come_back() {
        let half = NEW.opened().half_opened();
        let two = half.probe_sent().probe_sent();
        assert_eq!((two.probes_out(), two.has_room(2)), (2, false));
        assert_eq!(two.probe_given_back(), half.probe_sent());
        let done = two.probe_done(true, false).probe_done(false, true);
        let ended = Probes {
            done: 2,
            failed: 1,
            slow: 1,
        };
        assert_eq!((done.probes_out(), done.probes()), (0, ended));
        assert!(done.has_room(1), "somebody must decide");
        assert_eq!(done.tag(), half);
    }

    #[test]
    fn a_full_count_of_probes_spills_nowhere() {
        let mut half = NEW.opened().half_opened();
        for _ in 0..100 {
            half = half.probe_sent().probe_done(true, true);
        }
        assert_eq!(half.probes().done, MOST_PROBES);
        assert_eq!((half.probes_out(), half.growth()), (0, 0));
    }

    #[test]
    fn marks_wrap_within_their_field() {
        let full = Word(PAYLOAD);
        assert_eq!(full.marked(), Word(WATCHED));
        let word = NEW.marked();
        assert!(word.is_watched() && !word.unwatched().is_watched());
        assert_ne!(word.marked(), word);
        assert_eq!(word.marked().tag(), NEW);
    }

    #[test]
    fn failures_fill_the_payload() {
        let word = NEW.opened().closed().with_failures(MOST_FAILURES);
        assert_eq!((word.failures(), word.epoch()), (MOST_FAILURES, 2));
        assert_eq!(word.with_failures(0), word.tag());
    }

    /// The fields of a word, stored separately.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    struct Plain {
        state: State,
        is_metrics_only: bool,
        epoch: u64,
        noted: Noted,
    }

    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    enum Noted {
        Nothing,
        Failures(u64),
        Marks {
            watched: bool,
            marks: u64,
        },
        Growth(u64),
        Probes {
            out: u64,
            done: u64,
            failed: u64,
            slow: u64,
            growth: u64,
        },
    }

    const EPOCHS: u64 = 1 << 30;
    const MARKS: u64 = 1 << 29;

    impl Plain {
        /// Returns the word by the table at the top of this file.
        fn word(self) -> Word {
            let noted = match self.noted {
                Noted::Nothing => 0,
                Noted::Failures(failures) => failures << 4,
                Noted::Marks { watched, marks } => u64::from(watched) << 4 | marks << 5,
                Noted::Growth(growth) => growth << 28,
                Noted::Probes {
                    out,
                    done,
                    failed,
                    slow,
                    growth,
                } => out << 4 | done << 10 | failed << 16 | slow << 22 | growth << 28,
            };
            let metrics_only = u64::from(self.is_metrics_only) << 3;
            Word(self.state as u64 | metrics_only | noted | self.epoch << 34)
        }

        fn next(self, state: State, noted: Noted) -> Self {
            Self {
                state,
                noted,
                epoch: (self.epoch + 1) % EPOCHS,
                ..self
            }
        }

        fn noting(self, noted: Noted) -> Self {
            Self { noted, ..self }
        }

        /// Returns every change, with the word that results from it.
        fn steps(self) -> Vec<(Word, Self)> {
            let word = self.word();
            let forced = |state| Self {
                is_metrics_only: false,
                ..self.next(state, Noted::Nothing)
            };
            let mut after: Vec<_> = [
                State::Closed,
                State::ForcedOpen,
                State::ForcedClosed,
                State::Disabled,
            ]
            .map(|state| (word.forced(state), forced(state)))
            .into();
            let metrics_only = Self {
                is_metrics_only: true,
                ..self.next(State::Closed, Noted::Nothing)
            };
            after.push((word.with_metrics_only(), metrics_only));
            match self.noted {
                Noted::Growth(growth) => {
                    let probes = Noted::Probes {
                        out: 0,
                        done: 0,
                        failed: 0,
                        slow: 0,
                        growth,
                    };
                    let half_open = self.next(State::HalfOpen, probes);
                    after.push((word.half_opened(), half_open));
                }
                Noted::Probes { growth, .. } => {
                    let growth = Noted::Growth((growth + 1).min(63));
                    after.push((word.opened(), self.next(State::Open, growth)));
                    after.push((word.closed(), self.next(State::Closed, Noted::Nothing)));
                    self.probe_steps(word, &mut after);
                }
                _ if self.state == State::Closed => {
                    after.push((word.opened(), self.next(State::Open, Noted::Growth(0))));
                    self.closed_steps(word, &mut after);
                }
                _ => {}
            }
            after
        }

        fn closed_steps(self, word: Word, after: &mut Vec<(Word, Self)>) {
            let (failures, marks) = match self.noted {
                Noted::Failures(failures) => (Some(failures), None),
                Noted::Marks { marks, .. } => (None, Some(marks)),
                _ => (Some(0), Some(0)),
            };
            if let Some(failures) = failures {
                assert_eq!(u64::from(word.failures()), failures);
                let more = (failures + 1).min(MOST_FAILURES.into());
                let with = |failures| (word.with_failures(failures as u32), failures);
                let steps = [with(more), with(0)];
                after.extend(
                    steps.map(|(word, failures)| (word, self.noting(Noted::Failures(failures)))),
                );
            }
            if let Some(marks) = marks {
                let marked = Noted::Marks {
                    watched: true,
                    marks: (marks + 1) % MARKS,
                };
                let unwatched = Noted::Marks {
                    watched: false,
                    marks,
                };
                after.push((word.marked(), self.noting(marked)));
                after.push((word.unwatched(), self.noting(unwatched)));
            }
        }

        fn probe_steps(self, word: Word, after: &mut Vec<(Word, Self)>) {
            let Noted::Probes {
                out,
                done,
                failed,
                slow,
                growth,
            } = self.noted
            else {
                unreachable!("of a half-open word")
            };
            let probes = |out, done, failed, slow| Noted::Probes {
                out,
                done,
                failed,
                slow,
                growth,
            };
            for most in [1, 2, 3, 63] {
                let room = out == 0 || out + done < most;
                assert_eq!(word.has_room(most as u32), room, "{self:?}, {most}");
            }
            if out == 0 || out + done < 3 {
                after.push((
                    word.probe_sent(),
                    self.noting(probes(out + 1, done, failed, slow)),
                ));
            }
            if out > 0 {
                let back = self.noting(probes(out - 1, done, failed, slow));
                after.push((word.probe_given_back(), back));
                for (fails, is_slow) in [(false, false), (true, false), (false, true), (true, true)]
                {
                    let ended = match done {
                        63 => back,
                        _ => self.noting(probes(
                            out - 1,
                            done + 1,
                            failed + u64::from(fails),
                            slow + u64::from(is_slow),
                        )),
                    };
                    after.push((word.probe_done(fails, is_slow), ended));
                }
            }
        }
    }

    #[test]
    fn each_transition_changes_the_fields_that_it_is_about_and_no_other() {
        let plain = |state, epoch, noted| Plain {
            state,
            is_metrics_only: false,
            epoch,
            noted,
        };
        let marks = |watched| Noted::Marks {
            watched,
            marks: MARKS - 2,
        };
        let probes = |out, growth| Noted::Probes {
            out,
            done: 62,
            failed: 62,
            slow: 62,
            growth,
        };
        let starts = vec![
            plain(State::Closed, 0, Noted::Nothing),
            plain(State::Closed, EPOCHS - 2, Noted::Nothing),
            plain(
                State::Closed,
                EPOCHS - 1,
                Noted::Failures(u64::from(MOST_FAILURES) - 2),
            ),
            plain(State::Closed, EPOCHS - 1, marks(true)),
            plain(State::Closed, EPOCHS - 1, marks(false)),
            plain(State::HalfOpen, EPOCHS - 1, probes(1, 62)),
            plain(State::HalfOpen, EPOCHS - 1, probes(2, 63)),
        ];
        let (states, _) = crate::reach::reach(starts, 9, |state| {
            let step = |(word, plain): (Word, Plain)| {
                assert_eq!(word, plain.word(), "{state:?} to {plain:?}");
                assert_eq!(
                    (word.state(), word.epoch()),
                    (plain.state, plain.epoch as u32)
                );
                assert_eq!(word.is_metrics_only(), plain.is_metrics_only);
                plain
            };
            state.steps().into_iter().map(step).collect()
        });
        assert!(states > 1_000, "{states}");
    }
}
