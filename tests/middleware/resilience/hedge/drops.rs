//! Dispatches that are dropped half way, and attempts that panic when they are dropped.

use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arcbus::middleware::Hedge;
use arcbus::{Context, FakeClock, QueryBus, from_async_fn_with};

use super::replicas::{Ask, End::*, Hedged, MS, ask};
use crate::acts::poll_once;

#[test]
fn a_dispatch_dropped_at_any_wait_leaves_no_attempt_behind() {
    for polls in 0..=40_u32 {
        let hedged = Hedged::new(Hedge::after(MS * 10).max_hedges(3));
        let mut sent = hedged.send(ask([(100, Reply); 4]));
        if polls > 0 {
            assert_eq!((sent.poll(), sent.pass(polls - 1)), (None, None));
        }
        hedged.steps.take();
        drop(sent);
        let expected = match polls {
            0 => "",
            1..=10 => "<1",
            11..=20 => "<1 <2",
            21..=30 => "<1 <3 <2",
            _ => "<1 <4 <3 <2",
        };
        assert_eq!(hedged.steps.take(), expected, "after {polls} polls");
        assert_eq!(hedged.lanes(&ask([(1, Reply)])), [Ok(1), Ok(1)]);
    }
}

/// A value that panics when dropped, and counts its drops.
struct Bomb(Arc<AtomicUsize>);

impl Drop for Bomb {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
        panic!("in a drop, on purpose");
    }
}

/// Builds a bus whose attempts wait for ever and panic when dropped, except the last one, which
/// replies.
fn bombs(attempts: u32) -> (QueryBus, FakeClock, Arc<AtomicUsize>) {
    let (clock, exploded) = (FakeClock::new(), Arc::new(AtomicUsize::new(0)));
    let state = (attempts, exploded.clone());
    let attempt = async |state: &(u32, Arc<AtomicUsize>), _: Ask, cx: &Context<'_>| {
        let (last, exploded) = state;
        let _bomb = (cx.attempt() < *last).then(|| Bomb(Arc::clone(exploded)));
        if cx.attempt() < *last {
            pending::<()>().await;
        }
        Ok::<u32, String>(cx.attempt())
    };
    let handler = from_async_fn_with(state, attempt);
    let bus = QueryBus::builder()
        .clock(clock.clone())
        .scope(|s| {
            s.layer(Hedge::after(MS).max_hedges(10))
                .register::<Ask, _>(handler)
        })
        .build()
        .expect("in range");
    (bus, clock, exploded)
}

#[test]
fn losers_that_panic_on_drop_do_not_change_the_outcome() {
    let (bus, clock, exploded) = bombs(4);
    let mut dispatch = Box::pin(bus.execute(ask([])));
    for _ in 0..3 {
        assert!(poll_once(dispatch.as_mut()).is_pending());
        clock.advance(MS);
    }
    let outcome = poll_once(dispatch.as_mut());
    assert_eq!(outcome, std::task::Poll::Ready(Ok(4)));
    assert_eq!(exploded.load(Ordering::Relaxed), 3);
}

#[test]
fn several_attempts_that_panic_on_drop_do_not_abort_the_process() {
    let (bus, clock, exploded) = bombs(9);
    let mut dispatch = Box::pin(bus.execute(ask([])));
    for _ in 0..4 {
        assert!(poll_once(dispatch.as_mut()).is_pending());
        clock.advance(MS);
    }
    let dropping = catch_unwind(AssertUnwindSafe(|| drop(dispatch)));
    assert!(dropping.is_ok(), "a dispatch drops quietly");
    assert_eq!(exploded.load(Ordering::Relaxed), 4);
}
