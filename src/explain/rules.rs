//! The orders of layers that are dangerous, each a row of [`RULES`].
//!
//! Some that look so are not: a fallback inside a cache (a substitute is not kept), a timeout inside a
//! retry that has another one outside, a second recorder of metrics inside a cache, a limit for each
//! caller outside a cache (it counts requests, whoever answers them).

use super::Warning;
use super::worst::own_waits;
use crate::pipeline::{LayerInfo, Role};
use Role::{
    AdaptiveLimit, Authorize, Bulkhead, Cache, Chaos, CircuitBreaker, Coalesce, Fallback, Hedge,
    Idempotency, Metrics, RateLimit, Retry, Timeout, Trace,
};

struct Rule {
    outer: &'static [Role],
    inner: &'static [Role],
    /// What makes the order harmless after all.
    unless: fn(&Pair<'_>) -> bool,
    reason: &'static str,
    better: &'static str,
}

/// Two layers of a stack.
struct Pair<'a> {
    layers: &'a [LayerInfo],
    outer: usize,
    inner: usize,
}

const RULES: &[Rule] = &[
    Rule {
        outer: &[Cache, Coalesce, Idempotency],
        inner: &[Authorize],
        unless: never,
        reason: "a reply that one caller may see is given to others without asking whether they may",
        better: "authorize outside whatever gives a reply to more than one caller",
    },
    Rule {
        outer: &[Cache, Coalesce, Idempotency],
        inner: &[Metrics, Trace],
        unless: same_outside,
        reason: "a reply that did not need the handler is not seen",
        better: "watch from outside it, or from both sides",
    },
    Rule {
        outer: &[RateLimit],
        inner: &[Cache, Coalesce],
        unless: never,
        reason: "a reply that costs the handler nothing takes a token, and is refused when there is none",
        better: "limit what reaches the handler: the limit inside; a `KeyedRateLimit` may hold callers \
                 to their share outside",
    },
    Rule {
        outer: &[Bulkhead],
        inner: &[Cache, Coalesce],
        unless: never,
        reason: "a reply that costs the handler nothing takes a permit, and is refused when it is busy",
        better: "the bulkhead inside",
    },
    Rule {
        outer: &[AdaptiveLimit],
        inner: &[Cache, Coalesce],
        unless: never,
        reason: "the limit is learned from latencies of replies that the handler did not make",
        better: "the limit inside",
    },
    Rule {
        outer: &[CircuitBreaker],
        inner: &[Cache],
        unless: never,
        reason: "hits count as successes of the handler, so the breaker does not open while it is down; \
                 and when it is open, it refuses what the cache could answer",
        better: "the breaker inside",
    },
    Rule {
        outer: &[CircuitBreaker],
        inner: &[Coalesce],
        unless: never,
        reason: "one failure counts once for each who waited for it",
        better: "the breaker inside",
    },
    Rule {
        outer: &[CircuitBreaker],
        inner: &[Retry],
        unless: never,
        reason: "several failed attempts count as one failure, or none, and attempts go on against a \
                 handler that the breaker should have protected",
        better: "the breaker inside, so that it sees each attempt and stops them",
    },
    Rule {
        outer: &[Bulkhead],
        inner: &[Retry],
        unless: inner_does_not_wait,
        reason: "a permit is held while the dispatch sleeps between attempts, so that failures of some \
                 messages keep out the others",
        better: "the bulkhead inside, so that each attempt takes a permit",
    },
    Rule {
        outer: &[AdaptiveLimit],
        inner: &[Retry],
        unless: never,
        reason: "attempts and the delays between them are taken for the latency of the handler",
        better: "the limit inside",
    },
    Rule {
        outer: &[Bulkhead, AdaptiveLimit],
        inner: &[Hedge],
        unless: never,
        reason: "runs at once are counted as one: the handler gets more of them than the limit says",
        better: "the limit inside, so that each run takes a permit",
    },
    Rule {
        outer: &[Retry],
        inner: &[Idempotency],
        unless: never,
        reason: "an attempt that fails gives up the key: while the dispatch sleeps, a duplicate runs the \
                 command, with attempts of its own, and the next attempt is another duplicate",
        better: "the retry inside, so that one key covers all attempts and their outcome is kept once",
    },
    Rule {
        outer: &[Retry],
        inner: &[Timeout],
        unless: bounded_outside,
        reason: "the timeout is for one attempt: the caller waits for all of them, and the delays between",
        better: "one more timeout outside the retry, for the whole",
    },
    Rule {
        outer: &[Retry],
        inner: &[Retry],
        unless: never,
        reason: "attempts multiply, just when the handler is in trouble",
        better: "one retry, next to what fails",
    },
    Rule {
        outer: &[Hedge],
        inner: &[Hedge],
        unless: never,
        reason: "runs multiply, just when the handler is slow",
        better: "one hedge with more runs",
    },
    Rule {
        outer: &[Hedge],
        inner: &[Cache, Coalesce],
        unless: never,
        reason: "the second run waits for what the first one is making, and can never be faster",
        better: "the hedge inside",
    },
    Rule {
        outer: &[Retry, Hedge, CircuitBreaker],
        inner: &[Fallback],
        unless: never,
        reason: "a substitute looks like success, so that failures are never seen",
        better: "the fallback outside, as the last resort",
    },
    Rule {
        outer: &[Idempotency],
        inner: &[Fallback],
        unless: never,
        reason: "a substitute may be kept as the outcome of a command that did not happen",
        better: "the fallback outside",
    },
    Rule {
        outer: &[Timeout],
        inner: &[Bulkhead, RateLimit],
        unless: waits_fit,
        reason: "the wait for a turn may take all the time there is: the handler is not begun, or cut off",
        better: "a shorter wait, or the timeout inside, so that it begins when the wait is over",
    },
    Rule {
        outer: &[Timeout],
        inner: &[CircuitBreaker],
        unless: bounded_inside,
        reason: "a handler that hangs is dropped past the breaker, which learns nothing of it and does \
                 not open",
        better: "a timeout inside the breaker",
    },
    Rule {
        outer: &[Chaos],
        inner: &[Timeout, Retry, Hedge, CircuitBreaker, Fallback],
        unless: never,
        reason: "its faults do not reach that layer, which is left untested",
        better: "chaos next to the handler",
    },
];

/// What is dangerous about the order of `layers`, the outermost first.
pub(super) fn warnings(layers: &[LayerInfo]) -> Vec<Warning> {
    RULES
        .iter()
        .flat_map(|rule| rule.warnings(layers))
        .collect()
}

impl Rule {
    fn warnings(&self, layers: &[LayerInfo]) -> impl Iterator<Item = Warning> {
        pairs(layers)
            .filter(|pair| self.applies(pair))
            .map(|pair| Warning {
                outer: pair.outer().name(),
                inner: pair.inner().name(),
                reason: self.reason,
                better: self.better,
            })
    }

    fn applies(&self, pair: &Pair<'_>) -> bool {
        self.outer.contains(&pair.outer().role())
            && self.inner.contains(&pair.inner().role())
            && !(self.unless)(pair)
    }
}

fn pairs(layers: &[LayerInfo]) -> impl Iterator<Item = Pair<'_>> {
    (0..layers.len()).flat_map(move |outer| {
        (outer + 1..layers.len()).map(move |inner| Pair {
            layers,
            outer,
            inner,
        })
    })
}

impl Pair<'_> {
    fn outer(&self) -> &LayerInfo {
        &self.layers[self.outer]
    }

    fn inner(&self) -> &LayerInfo {
        &self.layers[self.inner]
    }
}

fn never(_: &Pair<'_>) -> bool {
    false
}

/// A layer of the inner one's role stands outside both, too.
fn same_outside(pair: &Pair<'_>) -> bool {
    let role = pair.inner().role();
    pair.layers[..pair.outer]
        .iter()
        .any(|layer| layer.role() == role)
}

/// Something ends the outer layer: one further out, or it itself.
fn bounded_outside(pair: &Pair<'_>) -> bool {
    pair.layers[..=pair.outer].iter().any(is_bounded)
}

/// Something inside the inner layer ends what hangs.
fn bounded_inside(pair: &Pair<'_>) -> bool {
    pair.layers[pair.inner..].iter().any(is_bounded)
}

/// A timeout that asks about each message has no limit to name, but it has one.
fn is_bounded(layer: &LayerInfo) -> bool {
    let facts = layer.facts();
    facts.limit.is_some() || (layer.role() == Timeout && !facts.sometimes)
}

fn inner_does_not_wait(pair: &Pair<'_>) -> bool {
    own_waits(&pair.layers[pair.inner..]).is_zero()
}

/// The inner layer's wait leaves some of the time that the outer one gives.
fn waits_fit(pair: &Pair<'_>) -> bool {
    let limit = pair.outer().facts().limit;
    limit.is_none_or(|limit| pair.inner().facts().waits < limit)
}
