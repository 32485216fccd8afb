//! [`Errors`]: a set of error kinds.

use crate::outcome::ErrorKind;
use crate::pipeline::Facts;

/// Error kinds that a handler may return without any layer.
const OF_A_HANDLER: [ErrorKind; 5] = [
    ErrorKind::Invalid,
    ErrorKind::Panicked,
    ErrorKind::Transient,
    ErrorKind::Permanent,
    ErrorKind::Unclassified,
];

/// Error kinds that the caller and its lane may cause, regardless of the layers.
const OF_THE_CALLER: [ErrorKind; 5] = [
    ErrorKind::Late,
    ErrorKind::CallerTimeout,
    ErrorKind::CancelledEarly,
    ErrorKind::Cancelled,
    ErrorKind::WouldDeadlock,
];

/// Distinct error kinds, in the order of [`ErrorKind::ALL`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Errors(Vec<ErrorKind>);

impl Errors {
    pub(super) fn of_a_handler() -> Self {
        Self(OF_A_HANDLER.to_vec())
    }

    /// Returns the error kinds outside a layer: those that the layer passes on, and those that it adds.
    pub(super) fn through(mut self, facts: &Facts) -> Self {
        self.0.retain(|kind| !facts.replaced.contains(kind));
        self.0.extend(&facts.errors);
        if facts.any_error {
            self.0.extend(all());
        }
        self.0.sort_unstable();
        self.0.dedup();
        self
    }

    pub(super) fn kinds(&self) -> &[ErrorKind] {
        &self.0
    }

    /// Returns whether an error in this set may say when another attempt is worth making.
    pub(super) fn may_say_when(&self) -> bool {
        self.0.iter().any(|kind| kind.says_when())
    }

    /// Returns the error kinds that the caller may cause and that no layer returns.
    pub(super) fn of_the_caller(&self) -> Vec<ErrorKind> {
        let by_layers = |kind: &ErrorKind| self.0.contains(kind);
        OF_THE_CALLER
            .into_iter()
            .filter(|kind| !by_layers(kind))
            .collect()
    }

    pub(super) fn are_all(&self) -> bool {
        self.0.len() >= all().count()
    }
}

/// Every kind that an error may have.
fn all() -> impl Iterator<Item = ErrorKind> {
    let kinds = ErrorKind::ALL.iter().copied();
    kinds.filter(|kind| *kind != ErrorKind::Dropped)
}
