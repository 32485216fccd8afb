//! Duplicates that arrive while the first command is running.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use arcbus::middleware::{Idempotency, Timeout};
use arcbus::{CancelToken, CommandBus, Context, Error, Phase, Source, TimeLimit, from_fn};

use super::pay::{HOUR, NANO, Pay, Run, SECOND, Sent, Shop, failed, in_doubt, is_conflict, keyed};

/// Builds a shop whose first run goes on when the token is cancelled.
fn shop(then: Run) -> (Shop, CancelToken) {
    let (shop, go) = (Shop::new(), CancelToken::new());
    shop.payments.script([Run::after(&go, then)]);
    (shop, go)
}

fn late(seconds: u32, limit: TimeLimit) -> Option<Result<u32, Error<String>>> {
    let (phase, elapsed) = (Phase::NotStarted, SECOND * seconds);
    Some(Err(Error::Timeout {
        phase,
        elapsed,
        limit,
    }))
}

#[test]
fn duplicates_wait_for_the_reply_of_the_run() {
    let (shop, go) = shop(Run::Answer);
    let mut first = shop.pending("a", 5);
    let mut others = [0; 3].map(|_| shop.pending("a", 5));
    go.cancel();
    assert_eq!(others.each_ref().map(Sent::wakes), [0; 3]);
    assert_eq!(first.poll(), Some(Ok(1)));
    assert_eq!(others.each_ref().map(Sent::wakes), [1; 3]);
    for other in &mut others {
        assert_eq!(other.poll(), Some(Ok(1)));
    }
    assert_eq!(shop.pays("a", 5), [Ok(1), Ok(1)]);
    let mut sources = vec![Source::Replay; 6];
    sources[0] = Source::Handler;
    assert_eq!((shop.sources(), shop.runs()), (sources, 1));
}

#[test]
fn duplicates_with_another_payload_are_refused_at_once() {
    let (shop, go) = shop(Run::Answer);
    let mut first = shop.pending("a", 5);
    for refused in shop.pays("a", 6) {
        assert!(is_conflict(&refused), "{refused:?}");
    }
    go.cancel();
    assert_eq!(first.poll(), Some(Ok(1)));
    assert_eq!(shop.runs(), 1);
}

#[test]
fn after_a_plain_error_the_next_duplicate_runs_for_all_others() {
    let (shop, go) = shop(Run::Fail);
    let mut first = shop.pending("a", 5);
    let mut others = [0; 3].map(|_| shop.pending("a", 5));
    go.cancel();
    assert_eq!(first.poll(), Some(failed()));
    assert_eq!(others.each_ref().map(Sent::wakes), [1, 0, 0]);
    assert_eq!(others[2].poll(), None, "it is not its turn");
    for other in &mut others {
        assert_eq!(other.poll(), Some(Ok(2)));
    }
    assert_eq!(shop.runs(), 2);
}

#[test]
fn after_a_doubt_no_duplicate_runs() {
    for dropped in [false, true] {
        let (shop, go) = shop(Run::Panic);
        let mut first = shop.pending("a", 5);
        let mut others = [0; 3].map(|_| shop.pending("a", 5));
        if dropped {
            drop(first);
        } else {
            go.cancel();
            assert!(first.poll().expect("a panic").is_err());
        }
        for other in &mut others {
            assert_eq!(other.wakes(), 1);
            assert_eq!(other.poll(), Some(in_doubt()));
        }
        assert_eq!((shop.runs(), shop.payments.running()), (1, 0));
    }
}

#[test]
fn a_duplicate_dropped_at_any_poll_strands_no_other() {
    // Drops a duplicate before its first poll, while it waits, when its turn comes, and while it
    // runs.
    for polls in 0..4 {
        let (shop, go) = shop(Run::Fail);
        shop.payments.script([Run::Never]);
        let mut first = shop.pending("a", 5);
        let mut dropped = shop.send("a", 5);
        if polls > 0 {
            dropped = dropped.waits();
        }
        let mut last = shop.pending("a", 5);
        if polls > 1 {
            go.cancel();
            assert_eq!(first.poll(), Some(failed()));
        }
        if polls > 2 {
            assert_eq!(dropped.poll(), None);
        }
        drop(dropped);
        if polls < 2 {
            go.cancel();
            assert_eq!(first.poll(), Some(failed()));
        }
        assert_eq!(last.wakes(), 1, "{polls}");
        let expected = (polls == 3).then(in_doubt);
        assert_eq!(last.poll(), expected, "the second run never ends");
        assert_eq!(shop.runs(), 2, "{polls}");
    }
}

#[test]
fn duplicates_wait_until_their_deadline() {
    let (shop, go) = shop(Run::Answer);
    let mut first = shop.pending("a", 5);
    let mut hurried = shop
        .send_with("a", 5, Context::new().timeout(SECOND))
        .waits();
    let mut patient = shop.pending("a", 5);
    shop.clock.advance(SECOND - NANO);
    assert_eq!((hurried.wakes(), hurried.poll()), (0, None));
    shop.clock.advance(NANO);
    assert!(hurried.wakes() > 0);
    assert_eq!(hurried.poll(), late(1, TimeLimit::Caller));
    drop(hurried);
    go.cancel();
    assert_eq!((first.poll(), patient.poll()), (Some(Ok(1)), Some(Ok(1))));
}

#[test]
fn duplicates_wait_until_an_outer_timeout() {
    let go = CancelToken::new();
    let payments = super::pay::Payments::default();
    payments.script([Run::after(&go, Run::Answer)]);
    let clock = arcbus::FakeClock::new();
    let bus = CommandBus::builder()
        .clock(clock.clone())
        .layer(
            Timeout::new(SECOND).per_message(|msg: &Pay, cx: &Context<'_>| {
                cx.get::<Duration>().copied().filter(|_| msg.0 > 0)
            }),
        )
        .layer(Idempotency::in_memory(HOUR))
        .register(payments)
        .build()
        .expect("in range");
    let mut first = Box::pin(bus.execute_with(Pay(5), keyed("a").with(HOUR)));
    assert!(crate::acts::poll_once(first.as_mut()).is_pending());
    let mut second = Box::pin(bus.execute_with(Pay(5), keyed("a")));
    assert!(crate::acts::poll_once(second.as_mut()).is_pending());
    clock.advance(SECOND);
    assert_eq!(crate::acts::ready(second), late(1, TimeLimit::Layer));
    go.cancel();
    assert_eq!(crate::acts::ready(first), Some(Ok(1)));
}

#[test]
fn duplicates_wait_until_they_are_cancelled() {
    let (shop, go) = shop(Run::Answer);
    let mut first = shop.pending("a", 5);
    let token = CancelToken::new();
    let cx = Context::new().cancel_on(token.clone());
    let mut cancelled = shop.send_with("a", 5, cx).waits();
    token.cancel();
    assert!(cancelled.wakes() > 0);
    let phase = Phase::NotStarted;
    assert_eq!(cancelled.poll(), Some(Err(Error::Cancelled { phase })));
    go.cancel();
    assert_eq!(first.poll(), Some(Ok(1)));
}

#[test]
fn a_late_duplicate_gets_a_known_reply_but_starts_no_run() {
    for (then, outcome) in [
        (Run::Answer, Some(Ok(1))),
        (Run::Fail, late(2, TimeLimit::Caller)),
    ] {
        let (shop, go) = shop(then);
        let mut first = shop.pending("a", 5);
        let mut hurried = shop
            .send_with("a", 5, Context::new().timeout(SECOND))
            .waits();
        let mut patient = shop.pending("a", 5);
        go.cancel();
        let failed = first.poll().expect("it goes on").is_err();
        shop.clock.advance(SECOND * 2);
        assert_eq!(hurried.poll(), outcome);
        let reply = if failed { 2 } else { 1 };
        assert_eq!(patient.poll(), Some(Ok(reply)), "handed on");
    }
}

#[test]
fn a_cancelled_duplicate_passes_its_turn_on() {
    let (shop, go) = shop(Run::Fail);
    let mut first = shop.pending("a", 5);
    let token = CancelToken::new();
    let cx = Context::new().cancel_on(token.clone());
    let mut cancelled = shop.send_with("a", 5, cx).waits();
    let mut last = shop.pending("a", 5);
    go.cancel();
    assert_eq!(first.poll(), Some(failed()));
    token.cancel();
    let phase = Phase::NotStarted;
    assert_eq!(cancelled.poll(), Some(Err(Error::Cancelled { phase })));
    assert_eq!((last.poll(), shop.runs()), (Some(Ok(2)), 2));
}

#[test]
fn a_run_after_a_wait_tells_the_inner_layers_its_start() {
    let (go, payments) = (CancelToken::new(), super::pay::Payments::default());
    payments.script([Run::after(&go, Run::Fail), Run::Never]);
    let clock = arcbus::FakeClock::new();
    let bus = CommandBus::builder()
        .clock(clock.clone())
        .layer(Idempotency::in_memory(HOUR))
        .layer(Timeout::new(SECOND * 5))
        .register(payments)
        .build()
        .expect("in range");
    let mut first = Box::pin(bus.execute_with(Pay(5), keyed("a")));
    assert!(crate::acts::poll_once(first.as_mut()).is_pending());
    let mut second = Box::pin(bus.execute_with(Pay(5), keyed("a")));
    assert!(crate::acts::poll_once(second.as_mut()).is_pending());
    clock.advance(SECOND * 4);
    go.cancel();
    assert_eq!(crate::acts::ready(first), Some(failed()));
    assert!(crate::acts::poll_once(second.as_mut()).is_pending());
    clock.advance(SECOND * 4);
    assert!(
        crate::acts::poll_once(second.as_mut()).is_pending(),
        "its time began after the wait"
    );
    clock.advance(SECOND);
    assert!(crate::acts::ready(second).expect("late").is_err());
}

/// Waits for the first run of `shop` in the blocking lane, on separate threads.
fn blocked(shop: &Shop, cx: Context<'static>, then: impl FnOnce()) -> Result<u32, Error<String>> {
    let waiting = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        let dispatch = || {
            waiting.0.send(()).expect("it listens");
            shop.bus.execute_blocking_with(Pay(5), cx)
        };
        let blocking = scope.spawn(dispatch);
        waiting.1.recv().expect("it began");
        // No signal says that the thread waits, and an earlier `then` is an order that must work,
        // too.
        std::thread::sleep(Duration::from_millis(20));
        then();
        blocking.join().expect("no panic")
    })
}

#[test]
fn a_blocking_duplicate_waits_too() {
    let (shop, go) = shop(Run::Answer);
    let mut first = shop.pending("a", 5);
    let outcome = blocked(&shop, keyed("a"), || {
        go.cancel();
        assert_eq!(first.poll(), Some(Ok(1)));
    });
    assert_eq!((outcome, shop.runs()), (Ok(1), 1));
}

#[test]
fn a_blocking_duplicate_gives_up_in_time() {
    let (shop, _go) = shop(Run::Answer);
    let _first = shop.pending("a", 5);
    let outcome = blocked(&shop, keyed("a").timeout(HOUR), || shop.clock.advance(HOUR));
    assert_eq!(Some(outcome), late(3600, TimeLimit::Caller));

    let token = CancelToken::new();
    let cx = keyed("a").cancel_on(token.clone());
    let outcome = blocked(&shop, cx, || token.cancel());
    let phase = Phase::NotStarted;
    assert_eq!(outcome, Err(Error::Cancelled { phase }));
    assert_eq!(shop.runs(), 1);
}

#[test]
fn each_key_runs_once_on_many_threads() {
    const KEYS: usize = 50;
    const THREADS: usize = 8;
    static RUNS: [AtomicU32; KEYS] = [const { AtomicU32::new(0) }; KEYS];
    let bus = CommandBus::builder()
        .layer(Idempotency::in_memory(HOUR).capacity(KEYS))
        .register(from_fn(|msg: Pay, _: &Context<'_>| {
            RUNS[msg.0 as usize - 1].fetch_add(1, Ordering::Relaxed);
            std::thread::yield_now();
            Ok(msg.0)
        }))
        .build()
        .expect("in range");
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let bus = &bus;
            scope.spawn(move || {
                for n in 0..KEYS {
                    let key = (n * 7 + thread) % KEYS + 1;
                    let cx = keyed(&key.to_string());
                    let outcome = bus.execute_blocking_with(Pay(key as u32), cx);
                    assert_eq!(outcome, Ok(key as u32));
                }
            });
        }
    });
    let runs = RUNS.each_ref().map(|runs| runs.load(Ordering::Relaxed));
    assert_eq!(runs, [1; KEYS]);
}
