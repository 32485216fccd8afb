//! The figures asked of the policies, as ratios in one run:
//! `cargo bench -p arcbus-peers --bench policy_ratios`.

use arcbus_peers::{policies, runtime};

fn main() {
    let runtime = runtime();
    let _inside = runtime.enter();
    let mut cases = policies();
    cases.measure();
}
