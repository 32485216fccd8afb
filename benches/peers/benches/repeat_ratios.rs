//! Prints the required figures of the layers that repeat and remember, as ratios in one run:
//! `cargo bench -p arcbus-peers --bench repeat_ratios`.
//!
//! The last column contains the required bound.

use arcbus_peers::cases::rounds::Cases;
use arcbus_peers::{cache_threads, repeat, runtime};

fn main() {
    let runtime = runtime();
    let _inside = runtime.enter();
    let mut cases = repeat();
    cases.measure();

    cases.print_ratio("retry", "none", "<= 1.5");
    print_hit(&cases, "cache_hit", "raw_quick_cache");
    print_hit(&cases, "cache_hit_string", "raw_quick_cache_string");
    print_peer(&cases, "retry", "retry");
    print_peer(&cases, "cache", "cache_hit");

    println!("\nOn two threads, with the times of twenty calls.");
    let mut cases = cache_threads();
    cases.measure();
    cases.print_ratio("hits", "raw_quick_cache", "");
    cases.print_ratio("hits", "peer_moka", "");
    cases.print_ratio("mix", "peer_moka_mix", "");
}

fn print_hit(cases: &Cases<'_>, ours: &str, raw: &str) {
    let title = format!("{ours} / (none + {raw} + clock)");
    let names = [ours, "none", raw, "clock_read"];
    cases.print(&title, names, "<= 1.5", |[ours, none, raw, clock]| {
        ours / (none + raw + clock)
    });
}

/// Prints the cost of the layer of tower-resilience as a multiple of ours.
fn print_peer(cases: &Cases<'_>, peer: &str, ours: &str) {
    let peer = format!("peer_tower_resilience_{peer}");
    let title = format!("tower-resilience / {ours}");
    let names = [&*peer, "peer_tower_noop", ours, "none"];
    cases.print(&title, names, ">= 10", |[peer, noop, ours, none]| {
        // Times below a tenth of a nanosecond cannot be measured.
        (peer - noop) / (ours - none).max(0.1)
    });
}
