//! Property tests, which check random settings and sequences against models that are simple enough to be
//! right. The tests are a separate package, because only they need `proptest`.
#![cfg(test)]

#[path = "../../support/acts.rs"]
mod acts;
#[allow(dead_code, reason = "the tests of the cache use more of this module")]
#[path = "../../support/cache_support.rs"]
mod cache_support;
#[path = "../../support/hasty.rs"]
mod hasty;
#[allow(
    dead_code,
    reason = "the tests of the policies use more of this module"
)]
#[path = "../../support/jobs.rs"]
mod jobs;
#[allow(dead_code, reason = "the tests of `explain` use more of this module")]
#[path = "../../middleware/explain/stand_ins.rs"]
mod stand_ins;
#[allow(dead_code, reason = "the tests of timeouts use more of this module")]
#[path = "../../support/worker.rs"]
mod worker;

mod adaptive_limit;
mod backoff;
mod budget;
mod bulkhead;
mod cache;
mod circuit_breaker;
mod explain;
mod haste;
mod hedge_quantile;
mod idempotency;
mod metrics;
mod rate_limit;
mod registry;
mod timeout;
mod trace_parent;

const fn ms(millis: u64) -> std::time::Duration {
    std::time::Duration::from_millis(millis)
}
