//! A cache that two threads use concurrently, with hits of a thousand keys, or with a mix in which
//! every tenth key is rare.

use std::hint::black_box;

use arcbus::QueryBus;
use arcbus::middleware::Cache;

use crate::LATER;
use crate::cases::answered;
use crate::cases::rounds::Cases;
use crate::contended::{RUNS, on_threads};
use crate::messages::{ById, Store};
use crate::repeat::raw;

/// Returns every case of the group `cache_threads`.
#[must_use]
pub fn cache_threads() -> Cases<'static> {
    let mut cases = Cases::default();
    ours(&mut cases, "hits", hit);
    ours(&mut cases, "mix", mixed);
    let cache = raw::<u64, u64>();
    add(&mut cases, "raw_quick_cache", hit, move |id| {
        cache.get(&id).or_else(|| {
            cache.insert(id, id * 2);
            None
        })
    });
    moka(&mut cases, "peer_moka", hit);
    moka(&mut cases, "peer_moka_mix", mixed);
    cases
}

fn hit(nth: u64) -> u64 {
    nth % 1000
}

fn mixed(nth: u64) -> u64 {
    match nth % 10 {
        0 => 1000 + nth.wrapping_mul(0x9e37_79b9_7f4a_7c15) % 1_000_000,
        _ => hit(nth),
    }
}

/// Adds a case of our cache, which each thread uses through a route of its own.
fn ours(cases: &mut Cases<'_>, name: &'static str, key: fn(u64) -> u64) {
    let builder = QueryBus::builder().layer(Cache::ttl(LATER));
    let bus = builder.register::<ById, _>(Store).build();
    let bus = bus.expect("one handler, sound settings");
    cases.add_run(name, move |calls| {
        on_threads(|| {
            let mut route = bus.route::<ById>().expect("registered");
            for nth in 0..calls * RUNS {
                black_box(answered(route.execute_blocking(ById(key(nth)))));
            }
        });
    });
}

fn moka(cases: &mut Cases<'_>, name: &'static str, key: fn(u64) -> u64) {
    let cache = moka::sync::Cache::builder()
        .max_capacity(10_000)
        .time_to_live(LATER)
        .build();
    add(cases, name, key, move |id| cache.get_with(id, || id * 2));
}

fn add<T>(
    cases: &mut Cases<'_>,
    name: &'static str,
    key: fn(u64) -> u64,
    call: impl Fn(u64) -> T + Sync + 'static,
) {
    cases.add_run(name, move |calls| {
        on_threads(|| {
            for nth in 0..calls * RUNS {
                black_box(call(key(nth)));
            }
        });
    });
}
