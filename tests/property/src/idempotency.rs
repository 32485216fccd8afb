//! Checks any sequence of runs in time against a model that remembers everything.

use std::sync::Arc;
use std::time::Duration;

use arcbus::middleware::idempotency::{
    Begin, Fingerprint, IdempotencyKey, MemoryStore, Progress, Record, Run,
};
use proptest::collection::vec;
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    /// Starts a run with a key and a payload.
    Begin(u8, u8),
    /// Finishes the running command with this number, modulo the number of running commands.
    Finish(usize),
    Forget(usize),
    Drop(usize),
    Wait(u64),
}

const WINDOW: u64 = 20;

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        10 => (0..8_u8, 0..2_u8).prop_map(|(key, payload)| Step::Begin(key, payload)),
        4 => any::<usize>().prop_map(Step::Finish),
        4 => any::<usize>().prop_map(Step::Forget),
        1 => any::<usize>().prop_map(Step::Drop),
        4 => (0..8_u64).prop_map(Step::Wait),
        1 => Just(Step::Wait(WINDOW)),
    ];
    vec(step, 1..200)
}

/// A run of the past, with its key, its payload and its end.
struct Past {
    key: u8,
    payload: u8,
    begun: u64,
    reply: Option<usize>,
    forgotten: bool,
}

#[derive(Default)]
struct Model {
    past: Vec<Past>,
    now: u64,
}

impl Model {
    /// Returns the runs whose window is still open.
    fn live(&self) -> impl Iterator<Item = &Past> {
        let counts = |run: &&Past| !run.forgotten && self.now < run.begun + WINDOW;
        self.past.iter().filter(counts)
    }

    fn begin(&mut self, key: u8, payload: u8, capacity: usize) -> Begin<usize, Arc<usize>> {
        if let Some(run) = self.live().find(|run| run.key == key) {
            return Begin::Known(Record {
                fingerprint: Fingerprint::of(&run.payload),
                progress: match run.reply {
                    Some(reply) => Progress::Done(Arc::new(reply)),
                    None => Progress::Begun,
                },
            });
        }
        if self.live().count() == capacity {
            return Begin::Full { limit: capacity };
        }
        self.past.push(Past {
            key,
            payload,
            begun: self.now,
            reply: None,
            forgotten: false,
        });
        Begin::Run(self.past.len() - 1)
    }
}

/// The store and its model, with the running commands.
struct Both {
    store: MemoryStore<usize>,
    model: Model,
    runs: Vec<(Run, usize)>,
    capacity: usize,
}

impl Both {
    fn begin(&mut self, key: u8, payload: u8) {
        let now = Duration::from_nanos(self.model.now);
        let text = IdempotencyKey::new(key.to_string());
        let real = self.store.begin(&text, Fingerprint::of(&payload), now);
        match (real, self.model.begin(key, payload, self.capacity)) {
            (Begin::Run(run), Begin::Run(past)) => self.runs.push((run, past)),
            (Begin::Known(real), Begin::Known(model)) => assert_eq!(real, model),
            (Begin::Full { limit }, Begin::Full { .. }) => assert_eq!(limit, self.capacity),
            (real, model) => panic!("{real:?}, but the model {model:?}"),
        }
    }

    fn take(&mut self, nth: usize) -> Option<(Run, usize)> {
        let nth = nth.checked_rem(self.runs.len())?;
        Some(self.runs.swap_remove(nth))
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Begin(key, payload) => self.begin(key, payload),
            Step::Wait(nanos) => self.model.now += nanos,
            Step::Finish(nth) => {
                if let Some((run, past)) = self.take(nth) {
                    self.store.finish(run, past);
                    self.model.past[past].reply = Some(past);
                }
            }
            Step::Forget(nth) => {
                if let Some((run, past)) = self.take(nth) {
                    self.store.forget(run);
                    self.model.past[past].forgotten = true;
                }
            }
            Step::Drop(nth) => drop(self.take(nth)),
        }
        let taken = self.store.room().taken();
        assert!(
            self.model.live().count() <= taken && taken <= self.capacity,
            "{taken}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_store_behaves_like_its_model(capacity in 1..10_usize, steps in steps()) {
        let window = Duration::from_nanos(WINDOW);
        let store = MemoryStore::new(window, capacity).expect("in range");
        let mut both = Both { store, model: Model::default(), runs: Vec::new(), capacity };
        for step in steps {
            both.step(step);
        }
    }
}
