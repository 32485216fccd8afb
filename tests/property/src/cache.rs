//! Checks any sequence of queries, waits and invalidations against a slow and obvious model.

use std::collections::HashMap;
use std::time::Duration;

use arcbus::Source;
use arcbus::middleware::Cache;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::cache_support::{Act, Failed, Get, Sent, Sources, Store, get, run_of};

const MS: Duration = Duration::from_millis(1);
const TTL: u64 = 4;
const ERRORS: u64 = 2;

#[derive(Clone, Debug)]
enum Step {
    /// Sends two queries, of which the second joins the run of the first if that run waits.
    Ask(usize),
    /// Sends a query, and makes the invalidation before the run of the query is done.
    AskAndInvalidate(usize, Invalidation),
    Fails(usize, Option<Failed>),
    Pass(u64),
    Invalidate(Invalidation),
}

#[derive(Clone, Copy, Debug)]
enum Invalidation {
    Key(usize),
    FirstTwo,
    All,
}

const NAMES: [&str; 3] = ["a", "b", "c"];

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let invalidation = || {
        prop_oneof![
            4 => (0..3_usize).prop_map(Invalidation::Key),
            1 => Just(Invalidation::FirstTwo),
            1 => Just(Invalidation::All),
        ]
    };
    let failed = proptest::option::of(prop_oneof![
        Just(Failed::Transient),
        Just(Failed::Permanent),
        Just(Failed::Unclassified),
    ]);
    let step = prop_oneof![
        8 => (0..3_usize).prop_map(Step::Ask),
        3 => (0..3_usize, invalidation()).prop_map(|(name, what)| Step::AskAndInvalidate(name, what)),
        3 => (0..3_usize, failed).prop_map(|(name, failed)| Step::Fails(name, failed)),
        5 => (1..5_u64).prop_map(Step::Pass),
        2 => invalidation().prop_map(Step::Invalidate),
    ];
    vec(step, 1..60)
}

impl Invalidation {
    fn covers(self, name: usize) -> bool {
        match self {
            Self::Key(key) => key == name,
            Self::FirstTwo => name < 2,
            Self::All => true,
        }
    }
}

/// The reply under each key, with the time of its storage.
#[derive(Default)]
struct Model {
    kept: HashMap<usize, (Result<u32, Failed>, u64)>,
    fails: HashMap<usize, Failed>,
    stale: u64,
    keeps_errors: bool,
    runs: u32,
    now: u64,
}

impl Model {
    fn ttl(&self, kept: &Result<u32, Failed>) -> u64 {
        if kept.is_ok() { TTL } else { ERRORS }
    }

    fn fresh(&self, name: usize) -> Option<Result<u32, Failed>> {
        let (kept, at) = self.kept.get(&name)?;
        (self.now < at + self.ttl(kept)).then(|| kept.clone())
    }

    fn stale(&self, name: usize) -> Option<u32> {
        let (kept, at) = self.kept.get(&name)?;
        let run = *kept.as_ref().ok()?;
        (self.now < at + TTL + self.stale).then_some(run)
    }

    /// Returns the outcome and its source.
    fn ask(
        &mut self,
        name: usize,
        invalidated: Option<Invalidation>,
    ) -> (Result<u32, Failed>, Source) {
        if let Some(kept) = self.fresh(name) {
            return (kept, Source::Cache);
        }
        let stale = self.stale(name);
        self.runs += 1;
        let outcome = match self.fails.get(&name) {
            Some(failed) => Err(failed.clone()),
            None => Ok(self.runs),
        };
        self.forget(invalidated);
        match (&outcome, stale) {
            (Err(Failed::Transient | Failed::Unclassified), Some(run)) => {
                return (Ok(run), Source::Stale);
            }
            (Err(Failed::Transient), None) => {}
            (Err(_), _) if !self.keeps_errors => {}
            _ if invalidated.is_some_and(|it| it.covers(name)) => {}
            _ => drop(self.kept.insert(name, (outcome.clone(), self.now))),
        }
        (outcome, Source::Handler)
    }

    fn forget(&mut self, invalidated: Option<Invalidation>) {
        if let Some(what) = invalidated {
            self.kept.retain(|name, _| !what.covers(*name));
        }
    }
}

fn check(steps: &[Step], stale: u64, keeps_errors: bool) {
    let (store, sources) = (Store::new(), Sources::default());
    let mut cache = Cache::ttl(MS * TTL as u32).jitter(0.0);
    if stale > 0 {
        cache = cache.stale_while_revalidate(MS * stale as u32);
    }
    let handle = cache.handle::<Get>();
    let builder = store.builder().wrap(sources.layer());
    let bus = match keeps_errors {
        true => store.bus(builder.layer(cache.cache_errors(MS * ERRORS as u32))),
        false => store.bus(builder.layer(cache)),
    };
    let mut model = Model {
        stale,
        keeps_errors,
        ..Model::default()
    };
    let act = |model: &Model, name: usize| match model.fails.get(&name) {
        Some(failed) => Act::Fail(failed.clone()),
        None => Act::Reply,
    };
    let invalidate = |what: Invalidation| match what {
        Invalidation::Key(name) => handle.invalidate(NAMES[name]),
        Invalidation::FirstTwo => handle.invalidate_if(|key| key != "c"),
        Invalidation::All => handle.invalidate_all(),
    };
    for step in steps {
        match step {
            Step::Ask(name) | Step::AskAndInvalidate(name, _) => {
                let name = *name;
                let during = match step {
                    Step::AskAndInvalidate(_, what) => Some(*what),
                    _ => None,
                };
                store.set(NAMES[name], Act::Wait);
                let mut sent = Sent::new(&bus, NAMES[name], arcbus::Context::new());
                let at_once = sent.poll();
                if at_once.is_none() {
                    during.into_iter().for_each(invalidate);
                }
                store.set(NAMES[name], act(&model, name));
                let outcome = at_once.unwrap_or_else(|| sent.woken());
                let (expected, source) = model.ask(name, during);
                let outcome = outcome
                    .map(|reply| reply.0)
                    .map_err(|error| error.into_handler());
                assert_eq!(outcome, expected.clone().map_err(Ok));
                let told = sources.take();
                assert_eq!(told, expected.iter().map(|_| source).collect::<Vec<_>>());
            }
            Step::Fails(name, failed) => match failed {
                Some(failed) => drop(model.fails.insert(*name, failed.clone())),
                None => drop(model.fails.remove(name)),
            },
            Step::Pass(ms) => {
                model.now += ms;
                store.clock.advance(MS * *ms as u32);
            }
            Step::Invalidate(what) => {
                invalidate(*what);
                model.forget(Some(*what));
            }
        }
        assert_eq!(store.runs(), model.runs);
        assert_eq!(handle.stats().entries, model.kept.len() as u64);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_cache_behaves_like_its_model(steps in steps(), stale in 0..4_u64, keeps_errors: bool) {
        check(&steps, stale, keeps_errors);
    }
}

#[test]
fn the_model_keeps_and_invalidates_replies() {
    let store = Store::new();
    let bus = store.bus(store.builder().layer(Cache::ttl(MS)));
    assert_eq!(run_of(bus.execute_blocking(get("a"))), 1);
    let mut model = Model::default();
    assert_eq!(model.ask(0, None), (Ok(1), Source::Handler));
    assert_eq!(model.ask(0, None), (Ok(1), Source::Cache));
    model.now = TTL;
    assert_eq!(
        model.ask(0, Some(Invalidation::All)),
        (Ok(2), Source::Handler)
    );
    assert!(model.kept.is_empty());
}
