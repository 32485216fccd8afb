//! Changes by hand, and changes of state in general.

use super::rules::Rules;
use super::word::{State, Word};
use super::{CircuitBreakerPolicy, Limits, Transition};
use crate::setting::InvalidSetting;

/// Changes by hand, each of which begins a new epoch: running calls no longer count.
impl CircuitBreakerPolicy {
    /// Rejects every call until the state is changed by hand again.
    pub fn force_open(&self) {
        self.force(State::ForcedOpen);
    }

    /// Admits every call until the state is changed by hand again. A window continues to count, from zero, so
    /// that it can be [read](Self::reading).
    pub fn force_closed(&self) {
        self.force(State::ForcedClosed);
    }

    /// Admits every call until the state is changed by hand again, and counts nothing.
    pub fn disable(&self) {
        self.force(State::Disabled);
    }

    /// Works as usual and calls the listener, but rejects no call, to show the effect of limits before they
    /// apply. The breaker begins closed with nothing counted. While it is open or has enough probes, calls
    /// are admitted uncounted.
    pub fn metrics_only(&self) {
        self.turn_by(|word| Some(word.with_metrics_only()));
    }

    /// Ends every change by hand: the breaker is closed, with nothing counted.
    pub fn reset(&self) {
        self.force(State::Closed);
    }

    fn force(&self, state: State) {
        self.turn_by(|word| Some(word.forced(state)));
    }

    /// Returns the limits in force.
    #[must_use]
    pub fn limits(&self) -> Limits {
        self.rules.read().limits(self.window)
    }

    /// Changes all limits at once: no call is judged by a mixture of old and new limits. State and window
    /// stay unchanged, and are judged anew when the next bad call is counted. Threads that change limits take
    /// turns, and no other thread waits.
    ///
    /// # Errors
    ///
    /// Returns an error that names the first limit that is out of range, and then nothing changes.
    pub fn set_limits(&self, limits: Limits) -> Result<(), InvalidSetting> {
        limits.check(self.window)?;
        self.rules.set(&Rules::of(&limits, self.window));
        Ok(())
    }

    /// Changes the word like [`WordCell::step`](super::word::WordCell::step), and calls the listener if the
    /// state is new.
    pub(super) fn turn_by(&self, step: impl FnMut(Word) -> Option<Word>) {
        if let Some((from, to)) = self.word.step(step)
            && from.tag() != to.tag()
            && let Some(listener) = &self.listener
        {
            listener.tell(&Transition::new(self.name, from, to));
        }
    }
}
