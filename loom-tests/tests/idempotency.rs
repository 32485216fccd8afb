//! Models of idempotency. Two dispatches with one key run the handler once, and a later dispatch finds
//! exactly the record that the run left. No caller waits for a run that is gone.
#![cfg(arcbus_loom)]

use std::convert::Infallible;
use std::future::{Future, pending, poll_fn, ready};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::{Context as Task, Poll, Waker};
use std::time::Duration;

use arcbus::middleware::Idempotency;
use arcbus::middleware::idempotency::{
    Begin, Claim, Fingerprint, IdempotencyKey, MemoryStore, Progress, Run, Store,
};
use arcbus::{Command, CommandBus, Context, Error, Handler, Message};
use arcbus_loom::{Payload, Seen, block_on, explore};
use loom::thread;

const HOUR: Duration = Duration::from_secs(3600);

#[derive(Hash)]
struct Pay;

impl Message for Pay {
    const NAME: &'static str = "pay";
    type Kind = Command;
    type Reply = usize;
    type Error = String;
}

/// A handler that counts its runs in memory that `loom` checks, so that two runs at once fail the model.
struct Payments {
    runs: Arc<Payload>,
    then: Then,
}

#[derive(Clone, Copy)]
enum Then {
    Answer,
    /// The first run fails, and later runs reply.
    Fail,
    Wait,
}

impl Handler<Pay> for Payments {
    async fn handle(&self, _: Pay, _: &Context<'_>) -> Result<usize, String> {
        let run = self.runs.get() + 1;
        self.runs.set(run);
        match self.then {
            Then::Fail if run == 1 => Err("failed".into()),
            Then::Wait => pending().await,
            Then::Answer | Then::Fail => Ok(run),
        }
    }
}

fn bus(layer: Idempotency, then: Then) -> (CommandBus, Arc<Payload>) {
    let runs = Arc::new(Payload::new(0));
    let counted = Arc::clone(&runs);
    let payments = Payments {
        runs: counted,
        then,
    };
    let bus = CommandBus::builder().layer(layer).register(payments);
    (bus.build().expect("in range"), runs)
}

fn in_memory() -> Idempotency {
    Idempotency::in_memory(HOUR).capacity(2)
}

/// Dispatches a command. Returns the outcome, and how often the dispatch was pending.
fn pay(bus: &CommandBus) -> (Result<usize, Error<String>>, usize) {
    let mut outcome = None;
    let waited = block_on(async {
        let cx = Context::new().with(IdempotencyKey::new("a"));
        outcome = Some(bus.execute_with(Pay, cx).await);
    });
    (outcome.expect("it is done"), waited)
}

/// The outcome of a thread that sends the key, and how often its dispatch was pending.
type Got = (Result<usize, Error<String>>, usize);

fn two(first: CommandBus, second: CommandBus) -> [Got; 2] {
    let other = thread::spawn(move || pay(&second));
    let one = pay(&first);
    [one, other.join().unwrap()]
}

#[test]
fn one_of_two_duplicates_runs_and_the_other_has_its_reply() {
    static WAITED: Seen = Seen::new();
    static REPLAYED: Seen = Seen::new();
    let states = [("waited", &WAITED), ("came after it", &REPLAYED)];
    explore("idempotency, duplicates", 2, states, || {
        let (bus, runs) = bus(in_memory(), Then::Answer);
        let [one, other] = two(bus.clone(), bus);
        assert_eq!((&one.0, &other.0, runs.get()), (&Ok(1), &Ok(1), 1));
        let waited = one.1 + other.1 > 0;
        WAITED.count(waited);
        REPLAYED.count(!waited);
    });
}

/// The mistake: each bus has its own layer, and therefore its own memory.
#[test]
#[should_panic(expected = "ran twice")]
fn duplicates_under_two_layers_both_run() {
    explore("idempotency, two layers", 2, [], || {
        let (first, runs) = bus(in_memory(), Then::Answer);
        let (second, others) = bus(in_memory(), Then::Answer);
        let _ = two(first, second);
        assert_eq!(runs.get() + others.get(), 1, "ran twice");
    });
}

#[test]
fn after_a_plain_error_the_other_runs() {
    static WAITED: Seen = Seen::new();
    static AFTER: Seen = Seen::new();
    let states = [("waited", &WAITED), ("came after it", &AFTER)];
    explore("idempotency, plain error", 2, states, || {
        let (bus, runs) = bus(in_memory(), Then::Fail);
        let [one, other] = two(bus.clone(), bus);
        let replies = [&one, &other].map(|got| got.0.clone().ok());
        assert!(matches!(replies, [Some(2), None] | [None, Some(2)]));
        assert_eq!(runs.get(), 2);
        let waited = one.1 + other.1 > 0;
        WAITED.count(waited);
        AFTER.count(!waited);
    });
}

/// Polls one dispatch once and drops it, while another dispatch sends the key. The second runs the handler
/// itself, or fails because the outcome is in doubt.
fn dropped_half_way(resend: bool, ran: &'static Seen, doubt: &'static Seen, waited: &'static Seen) {
    let (bus, runs) = bus(in_memory(), Then::Wait);
    let dropped = bus.clone();
    let dropper = thread::spawn(move || {
        let cx = Context::new().with(IdempotencyKey::new("a"));
        let mut sent = pin!(dropped.execute_with(Pay, cx));
        let poll = sent.as_mut().poll(&mut Task::from_waker(Waker::noop()));
        match poll {
            Poll::Pending => true,
            Poll::Ready(outcome) => {
                assert_eq!(outcome, Err(Error::InDoubt));
                false
            }
        }
    });
    // Waits for the dropped dispatch, or runs the handler and is then dropped too.
    let parking = arcbus::__model::Parking::new();
    let waker = parking.waker();
    let cx = Context::new().with(IdempotencyKey::new("a"));
    let mut sent = Box::pin(bus.execute_with(Pay, cx));
    let first = sent.as_mut().poll(&mut Task::from_waker(&waker));
    let other_ran = dropper.join().unwrap();
    let at_once = first.is_ready();
    let outcome = match first {
        Poll::Pending => sent.as_mut().poll(&mut Task::from_waker(&waker)),
        ready => ready,
    };
    match outcome {
        Poll::Ready(outcome) => {
            assert_eq!(outcome, Err(Error::InDoubt));
            assert!(other_ran);
            doubt.count(at_once);
            waited.count(!at_once);
            if resend {
                let cx = Context::new().with(IdempotencyKey::new("again"));
                let mut again = pin!(bus.execute_with(Pay, cx));
                let _ = again.as_mut().poll(&mut Task::from_waker(&waker));
            }
        }
        Poll::Pending => ran.count(true),
    }
    drop(sent);
    assert_eq!(runs.get(), 1, "ran twice");
}

#[test]
fn a_run_that_is_dropped_half_way_is_not_run_again_and_strands_nobody() {
    static RAN: Seen = Seen::new();
    static DOUBT: Seen = Seen::new();
    static WAITED: Seen = Seen::new();
    let states = [("ran", &RAN), ("in doubt", &DOUBT), ("waited", &WAITED)];
    explore("idempotency, dropped", 2, states, || {
        dropped_half_way(false, &RAN, &DOUBT, &WAITED);
    });
}

/// The mistake: a caller in doubt sends a new key, and does not check first whether the work was done.
#[test]
#[should_panic(expected = "ran twice")]
fn a_doubt_sent_again_with_a_new_key_acts_twice() {
    static ANY: Seen = Seen::new();
    explore("idempotency, sent again", 2, [], || {
        dropped_half_way(true, &ANY, &ANY, &ANY);
    });
}

fn key(text: &str) -> IdempotencyKey {
    text.into()
}

const PAYLOAD: Duration = Duration::from_nanos(1);

fn payload() -> Fingerprint {
    Fingerprint::of(&PAYLOAD)
}

/// Runs two threads, whose keys are in different shards, on a store with room for one key.
fn last_place(looks_first: bool, first: &'static Seen, second: &'static Seen) {
    let capacity = if looks_first { 2 } else { 1 };
    let store = Arc::new(MemoryStore::<usize>::new(HOUR, capacity).unwrap());
    let begin = move |store: &MemoryStore<usize>, name: &str| {
        if looks_first && store.room().taken() > 0 {
            return false;
        }
        let begin = store.begin(&key(name), payload(), Duration::ZERO);
        matches!(begin, Begin::Run(_))
    };
    let others = Arc::clone(&store);
    let other = thread::spawn(move || begin(&others, "a"));
    let one = begin(&store, "bb");
    let other = other.join().unwrap();
    assert!(one != other, "both or none");
    assert_eq!(store.room().taken(), 1);
    first.count(one);
    second.count(other);
}

#[test]
fn one_of_two_gets_the_last_place() {
    static FIRST: Seen = Seen::new();
    static SECOND: Seen = Seen::new();
    let states = [("the first", &FIRST), ("the second", &SECOND)];
    explore("idempotency, capacity", 3, states, || {
        last_place(false, &FIRST, &SECOND);
    });
}

/// The mistake: a caller that finds room has not reserved any.
#[test]
#[should_panic(expected = "both or none")]
fn who_looks_for_room_does_not_have_it() {
    static ANY: Seen = Seen::new();
    explore("idempotency, a look", 3, [], || {
        last_place(true, &ANY, &ANY);
    });
}

#[test]
fn a_full_store_makes_room_for_both_when_two_windows_are_over() {
    static SWEPT: Seen = Seen::new();
    let states = [("both", &SWEPT)];
    explore("idempotency, swept", 3, states, || {
        let store = Arc::new(MemoryStore::<usize>::new(HOUR, 2).unwrap());
        for old in ["a", "bb"] {
            assert!(matches!(
                store.begin(&key(old), payload(), Duration::ZERO),
                Begin::Run(_)
            ));
        }
        let others = Arc::clone(&store);
        let begin = |store: &MemoryStore<usize>, name: &str| {
            matches!(store.begin(&key(name), payload(), HOUR), Begin::Run(_))
        };
        let other = thread::spawn(move || begin(&others, "c"));
        let one = begin(&store, "dd");
        assert!(one && other.join().unwrap());
        assert_eq!(store.room().taken(), 2);
        SWEPT.count(true);
    });
}

#[test]
fn a_run_that_ends_with_its_window_does_not_change_the_next_one() {
    static KEPT: Seen = Seen::new();
    static EVICTED: Seen = Seen::new();
    let states = [("finished in time", &KEPT), ("too late", &EVICTED)];
    explore("idempotency, end of the window", 3, states, || {
        let store = Arc::new(MemoryStore::<Arc<Payload>>::new(HOUR, 1).unwrap());
        let Begin::Run(run) = store.begin(&key("a"), payload(), Duration::ZERO) else {
            panic!("it is new")
        };
        let finishes = Arc::clone(&store);
        let written = Arc::new(Payload::new(0));
        let reply = Arc::clone(&written);
        let finisher = thread::spawn(move || {
            reply.set(1);
            finishes.finish(run, reply);
        });
        // Within the window, a reply that is found has been written.
        let last = HOUR - Duration::from_nanos(1);
        let Begin::Known(before) = store.begin(&key("a"), payload(), last) else {
            panic!("evicted inside its window")
        };
        if let Progress::Done(reply) = &before.progress {
            assert_eq!(reply.get(), 1);
            KEPT.count(true);
        }
        let Begin::Run(next) = store.begin(&key("a"), Fingerprint::of(&2), HOUR) else {
            panic!("its window is over")
        };
        EVICTED.count(matches!(before.progress, Progress::Begun));
        finisher.join().unwrap();
        let Begin::Known(after) = store.begin(&key("a"), payload(), HOUR) else {
            panic!("the next run's window has begun")
        };
        assert!(matches!(after.progress, Progress::Begun), "of another run");
        assert_eq!(after.fingerprint, Fingerprint::of(&2));
        store.forget(next);
        assert_eq!(store.room().taken(), 0);
    });
}

/// A memory shared by two layers, like a database shared by two processes.
#[derive(Clone)]
struct Between {
    store: Arc<MemoryStore<usize>>,
    /// Set to begin in one step, as a store must. Otherwise the store looks first and begins later.
    in_one_step: bool,
    begun: Arc<AtomicUsize>,
}

impl Store<Pay> for Between {
    type Begun = Option<Run>;
    type Error = Infallible;

    fn begin(
        &self,
        claim: Claim<'_>,
    ) -> impl Future<Output = Result<Begin<Option<Run>, usize>, Infallible>> + Send {
        let begin = self
            .store
            .begin(claim.key(), claim.fingerprint(), claim.now());
        ready(Ok(match begin {
            Begin::Run(run) if self.in_one_step => Begin::Run(Some(run)),
            Begin::Run(run) => {
                self.store.forget(run);
                thread::yield_now();
                let _ = self
                    .store
                    .begin(claim.key(), claim.fingerprint(), claim.now());
                Begin::Run(None)
            }
            Begin::Full { limit } => Begin::Full { limit },
            Begin::Known(record) => Begin::Known(arcbus::middleware::idempotency::Record {
                fingerprint: record.fingerprint,
                progress: match record.progress {
                    Progress::Done(reply) => Progress::Done(*reply),
                    Progress::Begun => Progress::Begun,
                },
            }),
        }))
    }

    fn finish(
        &self,
        run: Option<Run>,
        reply: &usize,
    ) -> impl Future<Output = Result<(), Infallible>> + Send {
        if let Some(run) = run {
            self.store.finish(run, *reply);
        }
        self.begun.fetch_add(1, Relaxed);
        ready(Ok(()))
    }

    async fn forget(&self, _: Option<Run>) -> Result<(), Infallible> {
        poll_fn(|_| Poll::Ready(Ok(()))).await
    }
}

/// Sends one key to two processes, and checks that exactly one of them runs the handler.
fn two_processes(in_one_step: bool, doubt: &'static Seen, replayed: &'static Seen) {
    let store = Between {
        store: Arc::new(MemoryStore::new(HOUR, 2).unwrap()),
        in_one_step,
        begun: Arc::default(),
    };
    let open = || {
        let runs = Arc::new(Payload::new(0));
        let payments = Payments {
            runs,
            then: Then::Answer,
        };
        let layer = Idempotency::in_store(store.clone(), HOUR);
        let bus = CommandBus::builder().layer(layer).register(payments);
        bus.build().expect("in range")
    };
    let [one, other] = two(open(), open());
    assert_eq!(store.begun.load(Relaxed), 1, "ran twice");
    let in_doubt = [one.0, other.0].contains(&Err(Error::InDoubt));
    doubt.count(in_doubt);
    replayed.count(!in_doubt);
}

#[test]
fn of_two_processes_with_one_store_one_runs() {
    static DOUBT: Seen = Seen::new();
    static REPLAYED: Seen = Seen::new();
    let states = [("in doubt", &DOUBT), ("replayed", &REPLAYED)];
    explore("idempotency, two processes", 2, states, || {
        two_processes(true, &DOUBT, &REPLAYED);
    });
}

/// The mistake: the store looks and begins in two steps.
#[test]
#[should_panic(expected = "ran twice")]
fn a_store_that_begins_in_two_steps_lets_both_run() {
    static ANY: Seen = Seen::new();
    explore("idempotency, two steps", 2, [], || {
        two_processes(false, &ANY, &ANY)
    });
}
