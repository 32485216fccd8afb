//! [`Worst`]: the worst case of a stack, added up from the handler outwards.

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

/// The longest time to a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Time {
    AtMost(Duration),
    /// The cause without a bound: a layer's name, or `"the handler"`.
    Unbounded(&'static str),
}

impl Worst {
    /// Computes the worst case of `layers`, which begin with the outermost.
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
            time: self.time.inside(layer, waits(facts, &self.errors)),
            keeps: sum(self.keeps, facts.keeps),
            errors: self.errors.through(facts),
        }
    }
}

impl Time {
    /// Adds a layer whose own waits are `waits`.
    fn inside(self, layer: &LayerInfo, waits: Duration) -> Self {
        let facts = layer.facts();
        let whole = match self {
            Self::Unbounded(by) => Self::Unbounded(by),
            Self::AtMost(rest) => {
                whole(rest, facts, waits).map_or(Self::Unbounded(layer.name()), Self::AtMost)
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

/// Returns the longest time that the outermost of `layers` itself waits.
pub(super) fn own_waits(layers: &[LayerInfo]) -> Duration {
    layers
        .split_first()
        .map_or(Duration::ZERO, |(layer, rest)| {
            waits(layer.facts(), &Worst::of(rest).errors)
        })
}

/// Returns the layer's own waiting time, given the errors its inner layers may return.
fn waits(facts: &Facts, inside: &Errors) -> Duration {
    match inside.may_say_when() {
        true => facts.waits.max(facts.waits_as_told),
        false => facts.waits,
    }
}

/// Returns the time of all runs of the inner service and the waits between them, or `None` if
/// unbounded. Concurrent runs take as long as a single run, plus the delay between their starts.
fn whole(rest: Duration, facts: &Facts, waits: Duration) -> Option<Duration> {
    let bounded = !facts.unknown && waits != Duration::MAX;
    let at_once = rest.checked_add(facts.staggers.min(rest))?;
    let runs = at_once.checked_mul(facts.attempts).filter(|_| bounded)?;
    runs.checked_add(waits)
}

/// Adds two ages, because a cached reply may already come from an inner cache.
fn sum(inner: Option<Duration>, own: Option<Duration>) -> Option<Duration> {
    match (inner, own) {
        (Some(inner), Some(own)) => Some(inner.saturating_add(own)),
        (inner, own) => inner.or(own),
    }
}
