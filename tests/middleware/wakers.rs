//! Wakers that panic or re-enter, and crowds that leave: a queue drops the wakers that are no
//! longer needed.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context as Task, Waker};
use std::time::{Duration, Instant};

use arcbus::middleware::RateLimit;
use arcbus::middleware::bulkhead::{BulkheadPolicy, Turn};
use arcbus::middleware::{Bulkhead, Timeout};
use arcbus::{CommandBus, FakeClock, Layer};

use crate::hostile::{Hooks, each_clone_panics, shuffle, within_time};
use crate::jobs::{Job, Jobs};

const SECOND: Duration = Duration::from_secs(1);

fn bus(clock: &FakeClock, layer: impl Layer<Job>) -> (CommandBus, Jobs) {
    let jobs = Jobs::default();
    let bus = CommandBus::builder()
        .clock(clock.clone())
        .layer(layer)
        .register(jobs.clone())
        .build()
        .expect("in range");
    (bus, jobs)
}

#[test]
fn a_waker_whose_clone_panics_does_not_stay_in_a_queue() {
    let (clock, bulkhead) = (FakeClock::new(), Bulkhead::new(1).queue(1, SECOND));
    let handles = bulkhead.handles();
    let (bus, _jobs) = bus(&clock, bulkhead);
    let policy = handles.get("job").expect("registered");
    let permit = policy.try_acquire().expect("free");
    let wait = || Box::pin(bus.execute(Job(1)));
    let clones = each_clone_panics(wait, || {
        assert_eq!((policy.usage().waiting, clock.next_alarm()), (0, None));
    });
    assert!(clones > 1, "in the queue, and with the clock");
    drop(permit);
    assert_eq!(policy.usage().in_use, 0);
}

#[test]
fn a_waker_whose_clone_panics_takes_no_token_of_a_rate_limit() {
    let clock = FakeClock::new();
    let (bus, jobs) = bus(&clock, RateLimit::new(1, SECOND).wait_at_most(SECOND));
    jobs.finish(1);
    assert_eq!(bus.execute_blocking(Job(1)), Ok(1));
    let wait = || Box::pin(bus.execute(Job(1)));
    let clones = each_clone_panics(wait, || assert_eq!(clock.next_alarm(), None));
    assert!(clones > 0);
    clock.advance(SECOND);
    assert_eq!(
        bus.execute_blocking(Job(1)),
        Ok(1),
        "the turns were given back"
    );
}

#[test]
fn a_waker_whose_clone_panics_does_not_stay_with_a_timeout() {
    let clock = FakeClock::new();
    let (bus, _jobs) = bus(&clock, Timeout::new(SECOND));
    let wait = || Box::pin(bus.execute(Job(1)));
    let clones = each_clone_panics(wait, || assert_eq!(clock.next_alarm(), None));
    assert!(clones > 1);
}

type Waiting<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

#[test]
fn a_waker_may_reenter_its_own_queue() {
    for which in 0..3 {
        within_time(move || {
            let policy: &BulkheadPolicy = Box::leak(Box::new(
                BulkheadPolicy::with_queue(1, 8).expect("in range"),
            ));
            let others: Arc<Mutex<Vec<Turn<'_>>>> = Arc::default();
            let held = policy.try_acquire().expect("free");
            let mut turn = policy.join().expect("one place");
            for _ in 0..2 {
                let mut other = policy.join().expect("one place");
                assert!(other.poll(Waker::noop()).is_none());
                others.lock().expect("no panic").push(other);
            }
            let act = move || {
                let leaves = others.lock().unwrap_or_else(PoisonError::into_inner).pop();
                drop(leaves);
                let late = policy.join();
                drop(late);
                drop(policy.try_acquire());
                policy.set_limit(2).expect("in range");
                policy.set_limit(1).expect("in range");
                assert!(policy.usage().waiting <= 8);
            };
            let mut hooks = Hooks::default();
            *[&mut hooks.clone, &mut hooks.wake, &mut hooks.drop][which] = Box::new(act);
            let hooks = Arc::new(hooks);
            let waker = hooks.waker();
            let _ = turn.poll(&waker);
            let _ = turn.poll(Waker::noop());
            let _ = turn.poll(&waker);
            drop(held);
            drop(turn);
            drop(waker);
            drop(hooks);
            assert_eq!((policy.usage().in_use, policy.usage().waiting), (0, 0));
        });
    }
}

/// A full queue of 65,535 waiters leaves in random order.
#[test]
fn a_crowd_leaves_a_queue_in_time() {
    const CROWD: usize = 65_535;
    let clock = FakeClock::new();
    let bulkhead = Bulkhead::new(1).queue(CROWD, SECOND);
    let handles = bulkhead.handles();
    let (bus, _jobs) = bus(&clock, bulkhead);
    let policy = handles.get("job").expect("registered");
    let _permit = policy.try_acquire().expect("free");
    let send = |_| -> Waiting<'_> {
        let mut sent: Waiting<'_> = Box::pin(async { drop(bus.execute(Job(1)).await) });
        assert!(
            sent.as_mut()
                .poll(&mut Task::from_waker(Waker::noop()))
                .is_pending()
        );
        sent
    };
    let mut crowd: Vec<_> = (0..CROWD).map(send).collect();
    shuffle(&mut crowd);
    assert_eq!(policy.usage().waiting, CROWD);
    let start = Instant::now();
    drop(crowd);
    println!("{CROWD} left in {:?}", start.elapsed());
    assert!(start.elapsed() < 2 * SECOND, "{:?}", start.elapsed());
    assert_eq!(policy.usage().waiting, 0);
}
