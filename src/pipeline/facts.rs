//! [`Facts`]: what a layer may do to a dispatch.

use std::time::Duration;

use super::tie::{LayerTies, Tie};
use crate::outcome::ErrorKind;

/// What a layer may do to a dispatch at worst, as it was set up: what
/// [`Bus::explain`](crate::Bus::explain) adds up. Returned by [`Layer::facts`](crate::Layer::facts).
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
    /// A layer that runs the rest once, waits for nothing and refuses nothing.
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

    /// A layer of which nothing is known: it may run the rest any number of times, wait as long as it
    /// likes and end in any error. An explanation counts it as one run, and names it.
    pub fn unknown() -> Self {
        Self {
            unknown: true,
            ..Self::new().fails_with_any()
        }
    }

    /// How often it may run the rest for one message, one run after the other, the first included.
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts;
        self
    }

    /// How many runs of the rest there may be at once for one message, the first included.
    pub fn at_once(mut self, runs: u32) -> Self {
        self.at_once = runs;
        self
    }

    /// How long it may wait itself, in all: before the rest, or between two runs of it.
    /// [`Duration::MAX`]: as long as the caller gives it.
    pub fn waits(mut self, waits: Duration) -> Self {
        self.waits = waits;
        self
    }

    /// How long it may wait itself, in all, where an error of the rest says
    /// [when](crate::Error::retry_after) it is worth trying again. Counts where that is longer than
    /// [`waits`](Self::waits), and a layer inside may end in such an error.
    pub fn waits_as_told(mut self, waits: Duration) -> Self {
        self.waits_as_told = waits;
        self
    }

    /// How long after the first of its runs [at once](Self::at_once) it may begin the last. Of a layer that
    /// begins none once one has ended: so it counts for no longer than one may take.
    pub fn staggers(mut self, time: Duration) -> Self {
        self.staggers = time;
        self
    }

    /// It ends the rest after this time.
    pub fn ends_after(mut self, limit: Duration) -> Self {
        self.limit = Some(limit);
        self
    }

    /// It may give a reply again that is this old.
    pub fn keeps(mut self, age: Duration) -> Self {
        self.keeps = Some(age);
        self
    }

    /// A kind of error that it may end in besides those of the rest.
    pub fn fails_with(mut self, kind: ErrorKind) -> Self {
        self.errors.push(kind);
        self
    }

    /// The kinds of a [`Rejection`](crate::Rejection).
    pub(crate) fn rejects(mut self) -> Self {
        self.errors.extend([
            ErrorKind::Unauthenticated,
            ErrorKind::Forbidden,
            ErrorKind::Conflict,
            ErrorKind::Rejected,
        ]);
        self
    }

    /// It may end in any error: it makes another one of that of the rest, say.
    pub fn fails_with_any(mut self) -> Self {
        self.any_error = true;
        self
    }

    /// A kind of error of the rest that it puts a reply in the place of, whenever there is one. Not for a layer
    /// that may decline to: at worst, it does.
    pub fn replaces(mut self, kind: ErrorKind) -> Self {
        self.replaced.push(kind);
        self
    }

    /// Its settings can be changed while it works: the figures are those of its setup.
    pub fn live(mut self) -> Self {
        self.live = true;
        self
    }

    /// Several routes have one instance of it, as of a layer that is
    /// [`shared`](crate::LayerExt::shared). Default: each route has its own.
    pub fn shared(mut self) -> Self {
        self.shared = true;
        self
    }

    /// It keeps moments of a bus's clock that other buses may come upon.
    pub(crate) fn tied(mut self, tie: &Tie) -> Self {
        self.ties.push(tie.clone());
        self
    }

    /// Its settings, in a few words, for people: `"3 attempts, 50 ms doubling, full jitter"`.
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.note = note.into();
        self
    }

    /// The same of a layer that is passed by in some dispatches: then it ends nothing and replaces
    /// nothing.
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
