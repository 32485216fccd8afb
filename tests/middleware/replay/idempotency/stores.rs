//! Stores that a user has written, which take their time and may fail.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::Mutex;
use std::task::Poll;

use arcbus::middleware::Idempotency;
use arcbus::middleware::idempotency::{Begin, Claim, Fingerprint, MemoryStore, Run, Store};
use arcbus::{CommandBus, Context, Error, Source, from_fn};

use super::pay::{self, HOUR, Pay, Sent, Shop, failed, in_doubt, is_conflict, keyed};
use crate::acts::each_lane_with;

/// A store in memory that waits before and after each of its operations, and fails on demand.
#[derive(Clone)]
struct Slow {
    keys: Arc<MemoryStore<u32>>,
    waits: usize,
    fails: Arc<Mutex<&'static str>>,
    claims: Arc<Mutex<Vec<String>>>,
}

impl Slow {
    fn new(waits: usize) -> Self {
        Self {
            keys: Arc::new(MemoryStore::new(HOUR, 9).expect("in range")),
            waits,
            fails: Arc::default(),
            claims: Arc::default(),
        }
    }

    fn fail(&self, what: &'static str) {
        *self.fails.lock().expect("no panic") = what;
    }

    async fn wait(&self) {
        let mut left = self.waits;
        poll_fn(|task| match left {
            0 => Poll::Ready(()),
            _ => {
                left -= 1;
                task.waker().wake_by_ref();
                Poll::Pending
            }
        })
        .await;
    }

    fn check(&self, what: &'static str) -> Result<(), String> {
        let fails = *self.fails.lock().expect("no panic") == what;
        if fails { Err("no disk".into()) } else { Ok(()) }
    }
}

impl Store<Pay> for Slow {
    type Begun = Run;
    type Error = String;

    async fn begin(&self, claim: Claim<'_>) -> Result<Begin<Run, u32>, String> {
        self.wait().await;
        self.check("begin")?;
        let asked = format!("{} {}", claim.message(), claim.key());
        self.claims.lock().expect("no panic").push(asked);
        assert_eq!(claim.window(), HOUR);
        let begin = Store::<Pay>::begin(&*self.keys, claim).await;
        self.wait().await;
        Ok(begin.unwrap_or_else(|never| match never {}))
    }

    async fn finish(&self, run: Run, reply: &u32) -> Result<(), String> {
        self.wait().await;
        self.check("finish")?;
        self.keys.finish(run, *reply);
        self.wait().await;
        Ok(())
    }

    async fn forget(&self, run: Run) -> Result<(), String> {
        self.wait().await;
        self.check("forget")?;
        self.keys.forget(run);
        self.wait().await;
        Ok(())
    }
}

fn shop(store: &Slow) -> Shop {
    Shop::with(Idempotency::in_store(store.clone(), HOUR))
}

#[test]
fn a_store_is_asked_by_message_and_key() {
    let store = Slow::new(0);
    let shop = shop(&store);
    assert_eq!(shop.pays("a", 5), [Ok(1), Ok(1)]);
    assert!(is_conflict(&shop.pay("a", 6)));
    assert_eq!(shop.sources(), [Source::Handler, Source::Replay]);
    assert_eq!(*store.claims.lock().expect("no panic"), ["pay a"; 3]);
}

#[test]
fn a_store_that_fails_before_the_run_refuses_the_command() {
    let store = Slow::new(0);
    let shop = shop(&store);
    store.fail("begin");
    for refused in shop.pays("a", 5) {
        let Err(Error::Rejected(rejection)) = refused else {
            panic!("{refused:?}");
        };
        let text = rejection.to_string();
        assert!(
            text.contains("'pay' did not run") && text.contains("no disk"),
            "{text}"
        );
    }
    store.fail("");
    assert_eq!((shop.runs(), shop.pay("a", 5)), (0, Ok(1)));
}

#[test]
fn a_store_that_fails_after_the_run_leaves_the_outcome_and_a_doubt() {
    let store = Slow::new(0);
    let shop = shop(&store);
    store.fail("finish");
    assert_eq!(shop.pays("a", 5), [Ok(1), in_doubt()]);
    store.fail("forget");
    shop.payments.script([pay::Run::Fail]);
    assert_eq!(shop.pays("b", 5), [failed(), in_doubt()]);
    assert_eq!(shop.runs(), 2);
}

fn poll_to_the_end(sent: &mut Sent<'_>) -> arcbus::Outcome<Pay> {
    for _ in 0..100 {
        if let Some(outcome) = sent.poll() {
            return outcome;
        }
    }
    panic!("it never ends");
}

#[test]
fn a_command_dropped_at_any_wait_of_the_store_never_acts_twice() {
    for script in [pay::Run::Answer, pay::Run::Fail] {
        let mut ends = Vec::new();
        for polls in 0.. {
            let store = Slow::new(2);
            let shop = shop(&store);
            shop.payments.script([script.clone()]);
            let mut dropped = shop.send("a", 5);
            let ended = (0..polls).any(|_| dropped.poll().is_some());
            let mut other = shop.send("a", 5);
            let _ = other.poll();
            drop(dropped);
            let outcome = poll_to_the_end(&mut other);
            let failures = u32::from(matches!(script, pay::Run::Fail));
            match &outcome {
                Ok(_) => assert!(shop.runs() <= 1 + failures, "{polls}"),
                Err(Error::InDoubt) => assert!(shop.runs() <= 1, "{polls}"),
                Err(error) => assert!(error.is_handler(), "{error}"),
            }
            assert_eq!(shop.payments.running(), 0);
            ends.push(outcome.is_ok());
            if ended {
                break;
            }
        }
        assert!(ends.len() > 8, "two waits before and after two things");
        assert!(ends.contains(&false), "some are in doubt: {ends:?}");
        assert!(matches!(script, pay::Run::Fail) || ends.last() == Some(&true));
    }
}

#[test]
fn a_blocking_dispatch_waits_for_its_store() {
    let shop = shop(&Slow::new(1));
    assert_eq!(shop.pay("a", 5), Ok(1));
    assert_eq!(shop.pay("a", 5), Ok(1));
}

#[test]
fn duplicates_get_the_reply_once_the_store_has_written_it() {
    let store = Slow::new(1);
    let shop = shop(&store);
    let (mut first, mut second) = (shop.pending("a", 5), shop.pending("a", 5));
    assert_eq!(poll_to_the_end(&mut first), Ok(1));
    assert_eq!((second.wakes(), second.poll()), (1, Some(Ok(1))));
    assert_eq!(store.claims.lock().expect("no panic").len(), 1);
}

#[test]
fn a_duplicate_that_arrives_during_the_stores_write_waits_for_it() {
    // The command begins in two polls, runs in the third, and then waits for its reply to be written.
    let shop = shop(&Slow::new(1));
    let mut first = shop.pending("a", 5);
    assert_eq!((first.poll(), shop.runs()), (None, 0));
    assert_eq!((first.poll(), shop.runs()), (None, 1));
    let mut second = shop.pending("a", 5);
    assert_eq!(
        second.poll(),
        None,
        "the store would say that it is in doubt"
    );
    assert_eq!(poll_to_the_end(&mut first), Ok(1));
    assert_eq!((second.poll(), shop.runs()), (Some(Ok(1)), 1));
}

#[test]
fn a_run_of_another_process_is_in_doubt_here() {
    let store = Slow::new(0);
    let (here, there) = (shop(&store), shop(&store));
    there.payments.script([pay::Run::Never]);
    let _running = there.pending("a", 5);
    assert_eq!(here.pays("a", 5), [in_doubt(), in_doubt()]);
    assert_eq!((there.pay("b", 5), here.pay("b", 5)), (Ok(2), Ok(2)));
    assert_eq!(here.runs(), 0);
}

#[test]
fn a_reply_is_kept_unchanged() {
    let bus = CommandBus::builder()
        .layer(Idempotency::in_store(Slow::new(0), HOUR))
        .register(from_fn(|msg: Pay, _: &Context<'_>| Ok(msg.0)))
        .build()
        .expect("in range");
    assert_eq!(each_lane_with(&bus, Pay(5), &keyed("a")), [Ok(5), Ok(5)]);
    assert_ne!(Fingerprint::of(&Pay(5)), Fingerprint::of(&Pay(6)));
}
