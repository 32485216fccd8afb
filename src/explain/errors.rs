//! [`Errors`]: a set of errors by name.

use crate::pipeline::Facts;

/// The variants of [`Error`](crate::Error), in its order.
const ALL: [&str; 12] = [
    "HandlerNotFound",
    "Invalid",
    "Timeout",
    "Cancelled",
    "CircuitOpen",
    "RateLimited",
    "Overloaded",
    "Rejected",
    "Panicked",
    "WouldDeadlock",
    "InDoubt",
    "Handler",
];

/// What a handler may end in without any layer.
const OF_A_HANDLER: [&str; 3] = ["Invalid", "Panicked", "Handler"];

/// What the caller and its lane add, whatever the layers.
const OF_THE_CALLER: [&str; 3] = ["Timeout", "Cancelled", "WouldDeadlock"];

/// In the order of [`ALL`]; a name that is none of those stands behind them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Errors(Vec<&'static str>);

impl Errors {
    pub(super) fn of_a_handler() -> Self {
        Self(OF_A_HANDLER.to_vec())
    }

    /// What they become in a layer.
    pub(super) fn through(mut self, facts: &Facts) -> Self {
        self.0.retain(|error| !facts.replaced.contains(error));
        self.add(&facts.errors);
        if facts.any_error {
            self.add(&ALL);
        }
        self
    }

    fn add(&mut self, errors: &[&'static str]) {
        self.0.extend(errors);
        let place = |error: &str| ALL.iter().position(|name| *name == error);
        self.0
            .sort_by_key(|error| (place(error).unwrap_or(ALL.len()), *error));
        self.0.dedup();
    }

    pub(super) fn names(&self) -> &[&'static str] {
        &self.0
    }

    /// Whether one of them may say when it is worth trying again.
    pub(super) fn may_say_when(&self) -> bool {
        let says = |error| matches!(error, "CircuitOpen" | "RateLimited");
        self.0.iter().copied().any(says)
    }

    /// Those that the caller may bring about, and no layer does.
    pub(super) fn of_the_caller(&self) -> Vec<&'static str> {
        let by_layers = |error: &&str| self.0.contains(error);
        OF_THE_CALLER
            .into_iter()
            .filter(|e| !by_layers(e))
            .collect()
    }

    pub(super) fn are_all(&self) -> bool {
        self.0.len() >= ALL.len()
    }
}
