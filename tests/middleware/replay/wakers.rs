//! Wakers that panic or re-enter, and crowds that leave, while waiting for the run of another
//! caller.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context as Task, Poll, Waker};
use std::time::{Duration, Instant};

use arcbus::middleware::{Cache, Coalesce, Hedge};
use arcbus::{Context, FakeClock, QueryBus, from_async_fn};

use crate::cache_support::{Act, Failed, Get, SECOND, Sent, Store, get, run_of};
use crate::hostile::{Hooks, each_clone_panics, shuffle, within_time};

/// Builds callers that wait for the run of the first one.
fn waited_for(store: &Store, bus: &QueryBus) {
    let leader = Sent::pending(bus, "a");
    let wait = || Box::pin(bus.execute_with(get("a"), Context::new().timeout(SECOND)));
    let clones = each_clone_panics(wait, || assert_eq!(store.clock.next_alarm(), None));
    assert!(clones > 1, "with the run, and with the clock");
    let mut second = Sent::pending(bus, "a");
    // No caller that has left is named as leader.
    drop(leader);
    assert_eq!(second.wakes(), 1);
    assert_eq!(second.poll(), None);
    store.set("a", Act::Reply);
    assert_eq!(run_of(second.woken()), 1);
}

#[test]
fn a_waker_whose_clone_panics_does_not_stay_with_a_run() {
    let store = Store::new();
    store.set("a", Act::Wait);
    waited_for(
        &store,
        &store.bus(store.builder().layer(Cache::ttl(SECOND))),
    );
    let store = Store::new();
    store.set("a", Act::Wait);
    waited_for(&store, &store.bus(store.builder().layer(Coalesce::new())));
}

#[test]
fn a_waker_whose_clone_panics_does_not_stay_with_a_hedge() {
    async fn never(_: Get, _: &Context<'_>) -> Result<(u32, Arc<str>), Failed> {
        std::future::pending().await
    }
    let clock = FakeClock::new();
    let bus = QueryBus::builder()
        .clock(clock.clone())
        .scope(|s| s.layer(Hedge::after(SECOND)).register(from_async_fn(never)))
        .build()
        .expect("in range");
    let wait = || Box::pin(bus.execute(get("a")));
    let clones = each_clone_panics(wait, || assert_eq!(clock.next_alarm(), None));
    assert!(clones > 0);
}

type Waiting<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

fn waits(bus: &QueryBus) -> Waiting<'_> {
    let mut waiting: Waiting<'_> = Box::pin(async { drop(bus.execute(get("a")).await) });
    assert!(poll(&mut waiting, Waker::noop()).is_pending());
    waiting
}

fn poll(waiting: &mut Waiting<'_>, waker: &Waker) -> Poll<()> {
    waiting.as_mut().poll(&mut Task::from_waker(waker))
}

#[test]
fn a_waker_may_reenter_its_own_run() {
    for which in 0..3 {
        within_time(move || {
            let store = Store::new();
            store.set("a", Act::Wait);
            let cache = Cache::ttl(SECOND);
            let handle = cache.handle::<Get>();
            let bus: &QueryBus = Box::leak(Box::new(store.bus(store.builder().layer(cache))));
            let leader = waits(bus);
            let others = Mutex::new(vec![waits(bus), waits(bus), leader]);
            let act = move || {
                let leaves = others.lock().unwrap_or_else(PoisonError::into_inner).pop();
                drop(leaves);
                drop(waits(bus));
                handle.invalidate_if(|_| false);
                handle.invalidate("a");
                drop(waits(bus));
            };
            let mut hooks = Hooks::default();
            *[&mut hooks.clone, &mut hooks.wake, &mut hooks.drop][which] = Box::new(act);
            let waker = Arc::new(hooks).waker();
            let mut waiting = waits(bus);
            let _ = poll(&mut waiting, &waker);
            let _ = poll(&mut waiting, Waker::noop());
            drop(waiting);
            drop(waker);
        });
    }
}

/// Two hundred thousand callers wait for one run and leave in random order.
#[test]
fn a_crowd_leaves_a_run_in_time() {
    const CROWD: usize = 200_000;
    let store = Store::new();
    store.set("a", Act::Wait);
    let bus = store.bus(store.builder().layer(Coalesce::new()));
    let leader = waits(&bus);
    let mut crowd: Vec<_> = (0..CROWD).map(|_| waits(&bus)).collect();
    shuffle(&mut crowd);
    let last = crowd.split_off(CROWD / 2);
    let start = Instant::now();
    drop(crowd);
    // The remaining half is named as leader one after the other.
    drop(leader);
    drop(last);
    println!("{CROWD} left in {:?}", start.elapsed());
    assert!(
        start.elapsed() < Duration::from_secs(4),
        "{:?}",
        start.elapsed()
    );
    store.set("a", Act::Reply);
    assert_eq!(run_of(bus.execute_blocking(get("a"))), 2);
}
