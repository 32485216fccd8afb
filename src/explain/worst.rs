//! [`Worst`]: what a stack may do at worst, added up from the handler outwards.

use std::time::Duration;

use super::errors::Errors;
use crate::pipeline::{Facts, LayerInfo};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Worst {
    pub(super) attempts: u32,
    pub(super) calls: u64,
    pub(super) time: Time,
    pub(super) keeps: Option<Duration>,
    pub(super) errors: Errors,
}

/// The longest time to an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Time {
    AtMost(Duration),
    /// By whom: a layer's name, or `"the handler"`.
    Unbounded(&'static str),
}

impl Worst {
    /// Of layers from the outermost inwards.
    pub(super) fn of(layers: &[LayerInfo]) -> Self {
        let handler = Self {
            attempts: 1,
            calls: 1,
            time: Time::Unbounded("the handler"),
            keeps: None,
            errors: Errors::of_a_handler(),
        };
        layers.iter().rev().fold(handler, Self::inside)
    }

    fn inside(self, layer: &LayerInfo) -> Self {
        let facts = layer.facts();
        let runs = u64::from(facts.attempts).saturating_mul(facts.at_once.into());
        Self {
            attempts: self.attempts.saturating_mul(facts.attempts),
            calls: self.calls.saturating_mul(runs),
            time: self.time.inside(layer),
            keeps: sum(self.keeps, facts.keeps),
            errors: self.errors.through(facts),
        }
    }
}

impl Time {
    /// Runs at once take as long as one: what lies between their beginnings is a wait of the layer's.
    fn inside(self, layer: &LayerInfo) -> Self {
        let facts = layer.facts();
        let whole = match self {
            Self::Unbounded(by) => Self::Unbounded(by),
            Self::AtMost(rest) => {
                whole(rest, facts).map_or(Self::Unbounded(layer.name()), Self::AtMost)
            }
        };
        match (facts.limit, whole) {
            (Some(limit), Self::AtMost(time)) => Self::AtMost(time.min(limit)),
            (Some(limit), Self::Unbounded(_)) => Self::AtMost(limit),
            (None, whole) => whole,
        }
    }

    pub(super) fn longest(self) -> Option<Duration> {
        match self {
            Self::AtMost(time) => Some(time),
            Self::Unbounded(_) => None,
        }
    }
}

/// All runs of the rest and the waits between them; `None` if that is no number.
fn whole(rest: Duration, facts: &Facts) -> Option<Duration> {
    let bounded = !facts.unknown && facts.waits != Duration::MAX;
    let runs = rest.checked_mul(facts.attempts).filter(|_| bounded)?;
    runs.checked_add(facts.waits)
}

/// A kept reply may be one that was kept further in.
fn sum(inner: Option<Duration>, own: Option<Duration>) -> Option<Duration> {
    match (inner, own) {
        (Some(inner), Some(own)) => Some(inner.saturating_add(own)),
        (inner, own) => inner.or(own),
    }
}
