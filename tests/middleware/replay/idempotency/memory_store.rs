//! The store in memory without a bus, with explicit times.

use std::sync::Arc;
use std::time::Duration;

use arcbus::middleware::idempotency::{Begin, Fingerprint, IdempotencyKey, MemoryStore, Run};

const WINDOW: u64 = 20;

#[test]
fn an_older_reading_of_the_clock_shortens_no_window() {
    let nanos = Duration::from_nanos;
    let store = MemoryStore::<()>::new(nanos(WINDOW), 2).expect("in range");
    let payload = Fingerprint::of(&0);
    let begin = |key: &str, now| store.begin(&key.into(), payload, nanos(now));
    assert!(matches!(begin("a", 10), Begin::Run(_)));
    assert!(matches!(begin("b", 5), Begin::Run(_)));
    assert!(matches!(begin("b", 5 + WINDOW - 1), Begin::Known(_)));
    assert!(matches!(
        begin("c", 5 + WINDOW - 1),
        Begin::Full { limit: 2 }
    ));
    assert!(matches!(begin("a", 10 + WINDOW - 1), Begin::Known(_)));
    assert!(matches!(begin("c", 10 + WINDOW), Begin::Run(_)));
}

/// A reply that looks into every shard of the store when dropped.
struct Looks(Arc<MemoryStore<Looks>>);

impl Drop for Looks {
    fn drop(&mut self) {
        begin_many(&self.0, "seen", Duration::from_secs(9), drop);
    }
}

const MANY: usize = 200;

fn begin_many<R>(
    store: &MemoryStore<R>,
    name: &str,
    at: Duration,
    mut then: impl FnMut(Begin<Run, Arc<R>>),
) {
    for n in 0..MANY {
        let key = IdempotencyKey::new(format!("{name} {n}"));
        then(store.begin(&key, Fingerprint::of(&0), at));
    }
}

#[test]
fn a_reply_is_dropped_outside_the_lock() {
    let second = Duration::from_secs(1);
    let store = Arc::new(MemoryStore::new(second, MANY * 9).expect("in range"));
    let mut late = Vec::new();
    for (name, at) in [("first", 0), ("late", 0), ("forgotten", 0), ("second", 2)] {
        // A key that is past its window is removed when other keys arrive.
        begin_many(&store, name, second * at, |begin| match begin {
            Begin::Run(run) if name == "late" => late.push(run),
            Begin::Run(run) if name == "forgotten" => store.forget(run),
            Begin::Run(run) => store.finish(run, Looks(Arc::clone(&store))),
            known => drop(known),
        });
    }
    // A run that finishes too late is removed at once.
    for run in late {
        store.finish(run, Looks(Arc::clone(&store)));
    }
    let known = |begin| assert!(matches!(begin, Begin::Known(_)));
    begin_many(&store, "seen", 9 * second, known);
}
