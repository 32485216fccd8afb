//! [`Facts`]: the worst that a layer may do to a dispatch.

use std::time::Duration;

use super::tie::{LayerTies, Tie};
use crate::outcome::ErrorKind;

/// The worst that a layer may do to a dispatch, given its settings. Returned by
/// [`Layer::facts`](crate::Layer::facts) and added up by [`Bus::explain`](crate::Bus::explain).
///
/// ```
/// use std::time::Duration;
/// use arcbus::Facts;
///
/// // A layer that runs the rest up to three times, and waits up to a second in between.
/// let facts = Facts::new().attempts(3).waits(Duration::from_secs(1));
/// # let _ = facts;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Facts {
    pub(crate) attempts: u32,
    pub(crate) at_once: u32,
    pub(crate) waits: Duration,
    pub(crate) waits_as_told: Duration,
    pub(crate) staggers: Duration,
    pub(crate) limit: Option<Duration>,
    pub(crate) keeps: Option<Duration>,
    pub(crate) errors: Vec<ErrorKind>,
    pub(crate) any_error: bool,
    pub(crate) replaced: Vec<ErrorKind>,
    pub(crate) unknown: bool,
    pub(crate) live: bool,
    pub(crate) sometimes: bool,
    pub(crate) shared: bool,
    pub(crate) ties: LayerTies,
    pub(crate) note: String,
}

impl Facts {
    /// Creates the facts of a layer that runs the inner service once, waits for nothing and refuses nothing.
    pub fn new() -> Self {
        Self {
            attempts: 1,
            at_once: 1,
            waits: Duration::ZERO,
            waits_as_told: Duration::ZERO,
            staggers: Duration::ZERO,
            limit: None,
            keeps: None,
            errors: Vec::new(),
            any_error: false,
            replaced: Vec::new(),
            unknown: false,
            live: false,
            sometimes: false,
            shared: false,
            ties: LayerTies::default(),
            note: String::new(),
        }
    }

    /// Creates the facts of a layer about which nothing is known. Such a layer may run the inner service any
    /// number of times, wait for any time and end in any error. An explanation counts one run, and names the
    /// layer.
    pub fn unknown() -> Self {
        Self {
            unknown: true,
            ..Self::new().fails_with_any()
        }
    }

    /// Sets the maximum number of successive runs of the inner service for one message, the first included.
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts;
        self
    }

    /// Sets the maximum number of simultaneous runs of the inner service for one message, the first included.
    pub fn at_once(mut self, runs: u32) -> Self {
        self.at_once = runs;
        self
    }

    /// Sets the longest total time that the layer itself waits, before the inner service or between two runs.
    /// [`Duration::MAX`]: as long as the caller allows.
    pub fn waits(mut self, waits: Duration) -> Self {
        self.waits = waits;
        self
    }

    /// Sets the longest total time that the layer itself waits when an inner error says
    /// [when](crate::Error::retry_after) to try again. Counts if this time is longer than
    /// [`waits`](Self::waits) and an inner layer may end in such an error.
    pub fn waits_as_told(mut self, waits: Duration) -> Self {
        self.waits_as_told = waits;
        self
    }

    /// Sets the time between the first and the last of the [simultaneous](Self::at_once) runs, as in a hedge.
    /// Such a layer begins no run once a run has ended, so this time counts for no longer than a run may
    /// take.
    pub fn staggers(mut self, time: Duration) -> Self {
        self.staggers = time;
        self
    }

    /// Sets the time after which the layer ends the inner service.
    pub fn ends_after(mut self, limit: Duration) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Sets the greatest age of a reply that the layer gives again.
    pub fn keeps(mut self, age: Duration) -> Self {
        self.keeps = Some(age);
        self
    }

    /// Adds a kind of error that the layer itself may end in, besides the errors of the inner service.
    pub fn fails_with(mut self, kind: ErrorKind) -> Self {
        self.errors.push(kind);
        self
    }

    /// Adds all kinds of error that come from a [`Rejection`](crate::Rejection).
    pub(crate) fn rejects(mut self) -> Self {
        self.errors.extend([
            ErrorKind::Unauthenticated,
            ErrorKind::Forbidden,
            ErrorKind::Conflict,
            ErrorKind::Rejected,
        ]);
        self
    }

    /// Declares that the layer may end in any error, for example because inner errors are converted.
    pub fn fails_with_any(mut self) -> Self {
        self.any_error = true;
        self
    }

    /// Adds a kind of inner error that the layer always replaces by a reply. Not for a layer that may decline
    /// to replace an error, because the worst case counts.
    pub fn replaces(mut self, kind: ErrorKind) -> Self {
        self.replaced.push(kind);
        self
    }

    /// Declares that the settings can be changed at run time, in which case the facts show the figures of the
    /// setup.
    pub fn live(mut self) -> Self {
        self.live = true;
        self
    }

    /// Declares that several routes have one instance of the layer, as with
    /// [`shared`](crate::LayerExt::shared). Default: each route has an instance of its own.
    pub fn shared(mut self) -> Self {
        self.shared = true;
        self
    }

    /// Declares that the layer keeps moments of a bus's clock, which other buses may come upon.
    pub(crate) fn tied(mut self, tie: &Tie) -> Self {
        self.ties.push(tie.clone());
        self
    }

    /// Sets a short description of the settings for people: `"3 attempts, 50 ms doubling, full jitter"`.
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.note = note.into();
        self
    }

    /// Converts the facts to those of a layer that some dispatches pass by, which therefore guarantees no
    /// time limit and no replacement of errors.
    pub fn sometimes(mut self) -> Self {
        (self.limit, self.replaced) = (None, Vec::new());
        self.sometimes = true;
        let note = if self.note.is_empty() { "" } else { ": " };
        self.note = format!("in some dispatches{note}{}", self.note);
        self
    }
}

impl Default for Facts {
    fn default() -> Self {
        Self::new()
    }
}
