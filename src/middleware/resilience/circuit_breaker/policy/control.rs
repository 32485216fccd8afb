//! Changes by hand, and changes of state in general.

use super::rules::Rules;
use super::word::{State, Word};
use super::{CircuitBreakerPolicy, Limits, Transition};
use crate::setting::InvalidSetting;

/// By hand. Each begins a new epoch: calls under way count no more.
impl CircuitBreakerPolicy {
    /// Refuses every call until told otherwise.
    pub fn force_open(&self) {
        self.force(State::ForcedOpen);
    }

    /// Lets every call through until told otherwise. A window goes on counting, from nothing, so that it
    /// can be [read](Self::reading).
    pub fn force_closed(&self) {
        self.force(State::ForcedClosed);
    }

    /// Lets every call through until told otherwise, and counts nothing.
    pub fn disable(&self) {
        self.force(State::Disabled);
    }

    /// Works as always, beginning closed and with nothing counted, and tells its listener, but refuses
    /// nobody: to see what limits would do. While it is open or has enough probes, calls are let through
    /// uncounted.
    pub fn metrics_only(&self) {
        self.turn_by(|word| Some(word.with_metrics_only()));
    }

    /// Ends whatever of these is in force: closed, with nothing counted.
    pub fn reset(&self) {
        self.force(State::Closed);
    }

    fn force(&self, state: State) {
        self.turn_by(|word| Some(word.forced(state)));
    }

    /// The limits in force.
    #[must_use]
    pub fn limits(&self) -> Limits {
        self.rules.read().limits(self.window)
    }

    /// Changes the limits, all at once: no call is judged by some of the old and some of the new ones.
    /// State and window stay as they are, and are judged anew when the next call is counted that is not
    /// good. Threads that change limits take turns; nobody else waits.
    ///
    /// # Errors
    ///
    /// The first limit that is out of range; nothing is changed.
    pub fn set_limits(&self, limits: Limits) -> Result<(), InvalidSetting> {
        limits.check(self.window)?;
        self.rules.set(&Rules::of(&limits, self.window));
        Ok(())
    }

    /// Changes the word as [`WordCell::step`](super::word::WordCell::step) does; tells of a new state.
    pub(super) fn turn_by(&self, step: impl FnMut(Word) -> Option<Word>) {
        if let Some((from, to)) = self.word.step(step)
            && from.tag() != to.tag()
            && let Some(listener) = &self.listener
        {
            listener.tell(&Transition::new(self.name, from, to));
        }
    }
}
