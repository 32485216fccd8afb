//! Prints the required figures of the policies, as ratios in one run:
//! `cargo bench -p arcbus-peers --bench policy_ratios`.
//!
//! The last column contains the required bound.

use arcbus_peers::cases::rounds::Cases;
use arcbus_peers::{contended, policies, runtime};

fn main() {
    let runtime = runtime();
    let _inside = runtime.enter();
    let mut cases = policies();
    cases.measure();

    cases.print(
        "breaker_window / (none + recloser + clock)",
        ["breaker_window", "none", "peer_recloser", "clock_read"],
        "<= 1",
        |[ours, none, recloser, clock]| ours / (none + recloser + clock),
    );
    cases.print(
        "rate_limit / (none + governor)",
        ["rate_limit", "none", "peer_governor"],
        "<= 1",
        |[ours, none, governor]| ours / (none + governor),
    );
    cases.print_ratio("validation", "none", "<= 1.25");
    cases.print(
        "production_stack / (none + 2 clocks)",
        ["production_stack", "none", "clock_read"],
        "<= 1.5",
        |[stack, none, clock]| stack / (none + 2.0 * clock),
    );
    print_peer(&cases, "breaker", "breaker_window", 2.0);
    print_peer(&cases, "bulkhead", "bulkhead", 0.0);
    print_peer(&cases, "ratelimiter", "rate_limit", 1.0);
    print_peer(&cases, "timelimiter", "timeout", 1.0);

    println!("\nOn two threads, with the times of twenty calls.");
    let mut cases = contended();
    cases.measure();
    cases.print_ratio("breaker_consecutive", "peer_recloser", "<= 1");
    cases.print_ratio("breaker_window", "peer_recloser", "<= 1");
    cases.print_ratio("rate_limit", "peer_governor", "<= 1");
    cases.print_ratio("bulkhead", "peer_tokio_semaphore", "<= 1");
}

/// Prints the cost of the layer of tower-resilience as a multiple of ours, which reads the clock
/// `clocks` times.
fn print_peer(cases: &Cases<'_>, peer: &str, ours: &str, clocks: f64) {
    let peer = format!("peer_tower_resilience_{peer}");
    let names = [&*peer, "peer_tower_noop", ours, "none", "clock_read"];
    let title = format!("tower-resilience / {ours}");
    cases.print(&title, names, ">= 10", |[peer, noop, ours, none, clock]| {
        // Times below a tenth of a nanosecond cannot be measured.
        (peer - noop) / (ours - none - clocks * clock).max(0.1)
    });
}
