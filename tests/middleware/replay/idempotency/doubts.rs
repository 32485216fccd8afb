//! A run without a known outcome leaves a doubt: the command is not run again, and its sender gets
//! an error.

use arcbus::middleware::{Idempotency, Timeout};
use arcbus::{CancelToken, Context, Error, Phase};

use super::pay::{HOUR, NANO, Run, SECOND, Shop, in_doubt, is_conflict};

/// Checks that a run of five cents under the key `a` has left a doubt.
fn is_in_doubt(shop: &Shop) {
    let runs = shop.runs();
    assert_eq!(shop.pays("a", 5), [in_doubt(), in_doubt()]);
    assert!(is_conflict(&shop.pay("a", 6)), "and not in doubt");
    assert_eq!((shop.runs(), shop.payments.running()), (runs, 0));
    assert_eq!(shop.pay("b", 5), Ok(runs + 1), "others go on");
    shop.clock.advance(HOUR);
    assert_eq!(shop.pay("a", 5), Ok(runs + 2), "the window is over");
}

#[test]
fn a_panic_leaves_a_doubt() {
    for awaited in [false, true] {
        let shop = Shop::new();
        shop.payments.script([Run::Panic]);
        let first = match awaited {
            true => shop.pay_awaited("a", 5),
            false => shop.pay("a", 5),
        };
        assert!(first.expect_err("it panics").is_panicked());
        is_in_doubt(&shop);
    }
}

#[test]
fn a_timeout_half_way_leaves_a_doubt() {
    let shop = Shop::inside(Idempotency::in_memory(HOUR), |builder| {
        builder.layer(Timeout::new(SECOND))
    });
    shop.payments.script([Run::Never]);
    let mut first = shop.pending("a", 5);
    shop.clock.advance(SECOND);
    let error = first.poll().expect("late").expect_err("late");
    assert!(error.is_timeout() && error.is_indeterminate(), "{error}");
    is_in_doubt(&shop);
}

#[test]
fn a_deadline_or_a_cancellation_of_the_caller_leaves_a_doubt() {
    let shop = Shop::new();
    shop.payments.script([Run::Never]);
    let mut late = shop
        .send_with("a", 5, Context::new().timeout(SECOND))
        .waits();
    shop.clock.advance(SECOND);
    assert!(late.poll().expect("late").expect_err("late").is_timeout());
    is_in_doubt(&shop);

    let (shop, token) = (Shop::new(), CancelToken::new());
    shop.payments.script([Run::Never]);
    let cx = Context::new().cancel_on(token.clone());
    let mut cancelled = shop.send_with("a", 5, cx).waits();
    token.cancel();
    let phase = Phase::Indeterminate;
    assert_eq!(cancelled.poll(), Some(Err(Error::Cancelled { phase })));
    is_in_doubt(&shop);
}

#[test]
fn an_interrupted_blocking_dispatch_leaves_a_doubt() {
    let (shop, token) = (Shop::new(), CancelToken::new());
    shop.payments.script([Run::Never]);
    let cx = super::pay::keyed("a").cancel_on(token.clone());
    std::thread::scope(|scope| {
        let dispatch = || shop.bus.execute_blocking_with(super::pay::Pay(5), cx);
        let blocking = scope.spawn(dispatch);
        while shop.payments.running() == 0 {
            std::thread::yield_now();
        }
        token.cancel();
        assert!(blocking.join().expect("no panic").is_err());
    });
    is_in_doubt(&shop);
}

#[test]
fn a_dropped_dispatch_leaves_a_doubt() {
    let shop = Shop::new();
    drop(shop.send("a", 5));
    assert_eq!(shop.runs(), 0, "never polled: nothing has begun");
    let done = CancelToken::new();
    shop.payments.script([Run::after(&done, Run::Never)]);
    let mut first = shop.pending("a", 5);
    done.cancel();
    assert_eq!(first.poll(), None);
    drop(first);
    is_in_doubt(&shop);
}

#[test]
fn a_deadline_before_the_handler_leaves_no_doubt() {
    let shop = Shop::inside(Idempotency::in_memory(HOUR), |builder| {
        builder.layer(
            Timeout::new(SECOND).per_message(|msg: &super::pay::Pay, _: &Context<'_>| {
                (msg.0 == 7).then_some(std::time::Duration::ZERO)
            }),
        )
    });
    for refused in shop.pays("a", 7) {
        assert!(!refused.expect_err("late").is_indeterminate());
    }
    assert_eq!((shop.runs(), shop.pay("a", 5)), (0, Ok(1)));
}

#[test]
fn a_doubt_lasts_to_the_end_of_the_window() {
    let shop = Shop::new();
    shop.payments.script([Run::Panic]);
    assert!(shop.pay("a", 5).is_err());
    shop.clock.advance(HOUR - NANO);
    assert_eq!(shop.pays("a", 5), [in_doubt(), in_doubt()]);
    shop.clock.advance(NANO);
    assert_eq!(shop.pays("a", 5), [Ok(2), Ok(2)]);
}
