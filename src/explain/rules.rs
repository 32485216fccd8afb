//! Dangerous orders of layers, each of them a row of [`RULES`].
//!
//! Some orders look dangerous and are not: a fallback inside a cache (a substitute is not kept), a
//! timeout inside a retry with another timeout outside, and a second recorder of metrics inside a
//! cache. A rate limit for each caller may also stand outside a cache, because it counts requests
//! and not handler runs.

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
    /// The condition under which the order is harmless.
    unless: fn(&Pair<'_>) -> bool,
    reason: &'static str,
    better: &'static str,
}

/// A pair of layers in a stack.
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
        reason: "a reply for an authorized caller is given to other callers without a check",
        better: "put `Authorize` outside every layer that gives one reply to several callers",
    },
    Rule {
        outer: &[Cache, Coalesce, Idempotency],
        inner: &[Metrics, Trace],
        unless: same_outside,
        reason: "a reply that did not need the handler is not observed",
        better: "observe outside that layer, or on both sides",
    },
    Rule {
        outer: &[RateLimit],
        inner: &[Cache, Coalesce],
        unless: never,
        reason: "a reply that costs the handler nothing takes a token, and is rejected when none \
                 is left",
        better: "put the rate limit inside, where it limits runs of the handler; a \
                 `KeyedRateLimit` outside may still limit each caller",
    },
    Rule {
        outer: &[Bulkhead],
        inner: &[Cache, Coalesce],
        unless: never,
        reason: "a reply that costs the handler nothing takes a permit, and is rejected when none \
                 is free",
        better: "put the bulkhead inside",
    },
    Rule {
        outer: &[AdaptiveLimit],
        inner: &[Cache, Coalesce],
        unless: never,
        reason: "the limit is learned from the latencies of replies that the handler did not make",
        better: "put the limit inside",
    },
    Rule {
        outer: &[CircuitBreaker],
        inner: &[Cache],
        unless: never,
        reason: "cache hits count as successes of the handler, so the breaker does not open while \
                 the handler is down; and an open breaker rejects messages that the cache could \
                 answer",
        better: "put the breaker inside",
    },
    Rule {
        outer: &[CircuitBreaker],
        inner: &[Coalesce],
        unless: never,
        reason: "one failure counts once for each caller that waited for it",
        better: "put the breaker inside",
    },
    Rule {
        outer: &[CircuitBreaker],
        inner: &[Retry],
        unless: never,
        reason: "several failed attempts count as one failure, or none, and attempts go on against \
                 a handler that the breaker should have protected",
        better: "put the breaker inside, where it sees and stops each attempt",
    },
    Rule {
        outer: &[Bulkhead],
        inner: &[Retry],
        unless: inner_does_not_wait,
        reason: "a permit is held while the dispatch sleeps between attempts, so that failures of \
                 some messages keep out the others",
        better: "put the bulkhead inside, so that each attempt takes a permit",
    },
    Rule {
        outer: &[AdaptiveLimit],
        inner: &[Retry],
        unless: never,
        reason: "the attempts and the delays between them are taken for the latency of the handler",
        better: "put the limit inside",
    },
    Rule {
        outer: &[Bulkhead, AdaptiveLimit],
        inner: &[Hedge],
        unless: never,
        reason: "concurrent runs count as one, so that the handler gets more of them than the \
                 limit allows",
        better: "put the limit inside, so that each run takes a permit",
    },
    Rule {
        outer: &[Retry],
        inner: &[Idempotency],
        unless: never,
        reason: "a failed attempt releases the key, so that a duplicate may run the command while \
                 the dispatch sleeps, with attempts of its own; the next attempt then is another \
                 duplicate",
        better: "put the retry inside, so that one key covers all attempts and their outcome is \
                 kept once",
    },
    Rule {
        outer: &[Retry],
        inner: &[Timeout],
        unless: bounded_outside,
        reason: "the timeout limits each attempt, and the caller waits for all attempts and the \
                 delays between them",
        better: "add a timeout outside the retry for the whole dispatch",
    },
    Rule {
        outer: &[Retry],
        inner: &[Retry],
        unless: never,
        reason: "attempts multiply, just when the handler is in trouble",
        better: "keep one retry, next to the backend that fails",
    },
    Rule {
        outer: &[Hedge],
        inner: &[Hedge],
        unless: never,
        reason: "runs multiply, just when the handler is slow",
        better: "use one hedge with more runs",
    },
    Rule {
        outer: &[Hedge],
        inner: &[Cache, Coalesce],
        unless: never,
        reason: "the second run waits for the result of the first one, and can never be faster",
        better: "put the hedge inside",
    },
    Rule {
        outer: &[Retry, Hedge, CircuitBreaker],
        inner: &[Fallback],
        unless: never,
        reason: "a substitute looks like success, so that failures are never seen",
        better: "put the fallback outside, as the last resort",
    },
    Rule {
        outer: &[Idempotency],
        inner: &[Fallback],
        unless: never,
        reason: "a substitute may be kept as the outcome of a command that did not happen",
        better: "put the fallback outside",
    },
    Rule {
        outer: &[Timeout],
        inner: &[Bulkhead, RateLimit],
        unless: waits_fit,
        reason: "the wait for a permit or token may use up the whole time limit, so that the \
                 handler is not started, or is cut off",
        better: "wait for less time, or put the timeout inside, so that its time begins after the \
                 wait",
    },
    Rule {
        outer: &[Timeout],
        inner: &[CircuitBreaker],
        unless: bounded_inside,
        reason: "a handler that hangs is dropped without an outcome for the breaker, which then \
                 does not open",
        better: "put a timeout inside the breaker",
    },
    Rule {
        outer: &[Chaos],
        inner: &[Timeout, Retry, Hedge, CircuitBreaker, Fallback],
        unless: never,
        reason: "faults of the chaos layer do not reach that layer, which is left untested",
        better: "put the chaos layer next to the handler",
    },
];

/// Returns warnings about the order of `layers`, which begin with the outermost.
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

/// Returns whether another layer of the inner one's role stands outside both layers.
fn same_outside(pair: &Pair<'_>) -> bool {
    let role = pair.inner().role();
    pair.layers[..pair.outer]
        .iter()
        .any(|layer| layer.role() == role)
}

/// Returns whether a time limit stops the outer layer, either its own or one further out.
fn bounded_outside(pair: &Pair<'_>) -> bool {
    pair.layers[..=pair.outer].iter().any(is_bounded)
}

/// Returns whether a time limit inside the inner layer stops a handler that hangs.
fn bounded_inside(pair: &Pair<'_>) -> bool {
    pair.layers[pair.inner..].iter().any(is_bounded)
}

/// A timeout that depends on the message has a limit, too, but cannot name it.
fn is_bounded(layer: &LayerInfo) -> bool {
    let facts = layer.facts();
    facts.limit.is_some() || (layer.role() == Timeout && !facts.sometimes)
}

fn inner_does_not_wait(pair: &Pair<'_>) -> bool {
    own_waits(&pair.layers[pair.inner..]).is_zero()
}

/// Returns whether the inner layer's longest wait is shorter than the outer layer's limit.
fn waits_fit(pair: &Pair<'_>) -> bool {
    let limit = pair.outer().facts().limit;
    limit.is_none_or(|limit| pair.inner().facts().waits < limit)
}
