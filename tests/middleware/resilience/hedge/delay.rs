//! The delay of a running hedge, and changes to it.

use arcbus::InvalidSetting;
use arcbus::middleware::Hedge;
use std::time::Duration;

use super::replicas::{End::*, Hedged, MS, ask};

const FAR: Duration = Duration::from_nanos(u64::MAX);

fn hedged_after(hedged: &Hedged) -> u32 {
    hedged.send(ask([(1_000, Reply), (0, Reply)])).run().0
}

#[test]
fn a_fixed_delay_can_be_changed_on_a_running_hedge() {
    let hedged = Hedged::new(Hedge::after(MS * 10));
    assert_eq!(hedged_after(&hedged), 10);
    hedged.policy().set_delay(MS * 30).expect("in range");
    assert_eq!(hedged.policy().delay(), Some(MS * 30));
    assert_eq!(hedged_after(&hedged), 30);
    hedged
        .policy()
        .set_delay_range(MS, MS * 5)
        .expect("in range");
    assert_eq!(hedged_after(&hedged), 5);
    hedged
        .policy()
        .set_delay_range(MS * 20, MS * 50)
        .expect("in range");
    assert_eq!(hedged_after(&hedged), 20);
    hedged
        .policy()
        .set_delay_range(MS, MS * 50)
        .expect("in range");
    assert_eq!(hedged_after(&hedged), 10, "what it was set up with");
}

#[test]
fn a_measured_delay_is_clamped_to_its_range() {
    let hedge = Hedge::quantile(0.5).samples(1);
    let policy = hedge.clone().min_delay(MS * 5).max_delay(MS * 50).policy();
    let policy = policy.expect("in range");
    assert_eq!(policy.delay(), None);
    for (latency, delay) in [(1, 5), (1, 5), (1_000, 5), (1_000, 50)] {
        policy.answered(MS * latency);
        assert_eq!(policy.delay(), Some(MS * delay), "{latency}");
    }
    policy.set_delay(MS * 7).expect("in range");
    assert_eq!(policy.delay(), Some(MS * 7));
    let pinned = hedge.policy().expect("in range");
    pinned.set_delay(MS).expect("in range");
    assert_eq!(pinned.delay(), Some(MS), "also where nothing is measured");
}

#[test]
fn a_delay_out_of_range_changes_nothing() {
    let policy = Hedge::after(MS).policy().expect("in range");
    let refused = [
        policy.set_delay(FAR),
        policy.set_delay_range(MS * 2, MS),
        policy.set_delay_range(MS, FAR),
        policy.set_delay_range(MS, Duration::MAX),
    ];
    let fields = refused.map(|refused| refused.map_err(|error: InvalidSetting| error.field()));
    assert_eq!(
        fields,
        [
            Err("Hedge.delay"),
            Err("Hedge.min_delay"),
            Err("Hedge.max_delay"),
            Err("Hedge.max_delay"),
        ]
    );
    assert_eq!(policy.delay(), Some(MS));
}

#[test]
fn a_waiting_dispatch_keeps_its_initial_delay() {
    let hedged = Hedged::new(Hedge::after(MS * 10));
    let mut sent = hedged.send(ask([(1_000, Reply), (0, Reply)]));
    assert_eq!(sent.poll(), None);
    hedged.policy().set_delay(MS * 500).expect("in range");
    assert_eq!((sent.pass(9), sent.pass(1)), (None, Some(Ok(2))));
}
