//! Coalescing: a single run for all concurrent callers, whose reply is not kept afterwards.

use arcbus::middleware::Coalesce;
use arcbus::{Context, Facts, Layer, Source};

use crate::cache_support::{Act, Get, Sent, Sources, Store, each_lane, run_of};

#[test]
fn a_caller_joins_a_running_load_and_the_next_caller_starts_a_new_load() {
    let (store, sources) = (Store::new(), Sources::default());
    let coalesce = Coalesce::new();
    let handle = coalesce.handle::<Get>();
    let bus = store.bus(store.builder().wrap(sources.layer()).layer(coalesce));
    assert_eq!(each_lane(&bus, "a"), [1, 2]);
    store.set("a", Act::Wait);
    let (mut first, mut second) = (Sent::pending(&bus, "a"), Sent::pending(&bus, "a"));
    store.set("a", Act::Reply);
    assert_eq!((run_of(first.woken()), run_of(second.woken())), (3, 3));
    assert_eq!(sources.take()[2..], [Source::Handler, Source::Coalesced]);
    assert_eq!(each_lane(&bus, "a"), [4, 5]);
    let stats = handle.stats();
    assert_eq!((stats.misses, stats.loads, stats.waits), (6, 5, 1));
    assert_eq!((stats.hits, stats.stale, stats.entries), (0, 0, 0));
}

#[test]
fn callers_that_differ_do_not_share_a_load() {
    let store = Store::new();
    store.set("a", Act::Wait);
    let bus = store.bus(store.builder().layer(Coalesce::new().vary_by::<u8>()));
    let mut first = Sent::pending_in(&bus, "a", Context::new().with(1_u8));
    let mut second = Sent::pending_in(&bus, "a", Context::new().with(2_u8));
    let mut third = Sent::pending_in(&bus, "a", Context::new().with(1_u8));
    assert_eq!(store.runs(), 2);
    store.set("a", Act::Reply);
    let replies = [&mut first, &mut second, &mut third].map(|sent| run_of(sent.woken()));
    assert_eq!(replies, [1, 2, 1]);
}

#[test]
fn a_caller_after_an_invalidation_joins_no_older_load() {
    for all in [true, false] {
        let store = Store::new();
        store.set("a", Act::Wait);
        let coalesce = Coalesce::new();
        let handle = coalesce.handle::<Get>();
        let bus = store.bus(store.builder().layer(coalesce));
        let mut before = Sent::pending(&bus, "a");
        if all {
            handle.invalidate_all();
        } else {
            handle.invalidate("a");
        }
        let mut after = Sent::pending(&bus, "a");
        store.set("a", Act::Reply);
        assert_eq!((run_of(after.woken()), run_of(before.woken())), (2, 1));
    }
}

#[test]
fn a_coalescing_layer_can_be_switched_off_and_states_its_facts() {
    let store = Store::new();
    store.set("a", Act::Wait);
    let bus = store.bus(store.builder().layer(None::<Coalesce>));
    let _both = (Sent::pending(&bus, "a"), Sent::pending(&bus, "a"));
    assert_eq!(store.runs(), 2);
    let facts = Layer::<Get>::facts(&Coalesce::new());
    assert_ne!(facts, Facts::new());
}
