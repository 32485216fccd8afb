//! Contexts that outlive their dispatch, and contexts that are used again.

use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use arcbus::{CancelToken, CommandBus, Context, FakeClock, TraceParent, from_detached_fn, from_fn};

use crate::acts::{Act, each_lane, each_lane_with};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_detached_context_keeps_everything_on_another_thread() {
    let (clock, token, (sender, receiver)) = (FakeClock::new(), CancelToken::new(), channel());
    let trace = TraceParent::new([1; 16], [2; 8], 1).expect("no zeros");
    let bus = CommandBus::builder()
        .clock(clock.clone())
        .register(from_fn(move |_: Act, cx: &Context<'_>| {
            let own = cx.derive().with(5_u32).detach();
            sender.send(own).map_err(|error| error.to_string())?;
            Ok(1)
        }))
        .build()
        .expect("one name");
    let cx = Context::new()
        .timeout(SECOND * 10)
        .cancel_on(token.clone())
        .trace_parent(trace)
        .with("a value");
    assert_eq!(bus.execute_blocking_with(Act::Fail, cx), Ok(1));
    clock.advance(SECOND * 4);
    let detached = receiver.recv().expect("sent");
    let check = move || {
        assert_eq!(detached.remaining(), Some(SECOND * 6));
        assert_eq!(detached.trace(), Some(&trace));
        assert_eq!(detached.get::<&str>(), Some(&"a value"));
        assert_eq!(detached.get::<u32>(), Some(&5));
        assert!(!detached.is_cancelled());
        token.cancel();
        assert!(detached.is_cancelled());
    };
    thread::spawn(check).join().expect("no panic");
}

#[test]
fn a_detached_context_still_limits_a_dispatch() {
    let (clock, (sender, receiver)) = (FakeClock::new(), channel());
    let bus = CommandBus::builder()
        .clock(clock.clone())
        .register(from_fn(move |_: Act, cx: &Context<'_>| {
            let left = cx.remaining().ok_or("no limit")?.as_secs();
            sender
                .send(cx.detach())
                .map_err(|error| error.to_string())?;
            Ok(left as u32)
        }))
        .build()
        .expect("one name");
    let cx = Context::new().timeout(SECOND * 10);
    assert_eq!(bus.execute_blocking_with(Act::Fail, cx), Ok(10));
    let detached = receiver.recv().expect("sent");
    clock.advance(SECOND * 4);
    assert_eq!(bus.execute_blocking_in(&detached, Act::Fail), Ok(6));
    clock.advance(SECOND * 6);
    let late = bus.execute_blocking_in(&detached, Act::Fail);
    assert!(late.unwrap_err().is_timeout());
}

#[test]
fn a_detached_handler_function_has_the_context_of_its_dispatch() {
    let clock = FakeClock::new();
    let bus = CommandBus::builder()
        .clock(clock)
        .register(from_detached_fn(|_: Act, cx| async move {
            let value = cx.get::<u32>().copied().unwrap_or_default();
            let left = cx.remaining().unwrap_or_default().as_secs();
            Ok(value + left as u32)
        }))
        .build()
        .expect("one name");
    assert_eq!(each_lane(&bus, Act::Fail), [Ok(0), Ok(0)]);
    let cx = Context::new().timeout(SECOND * 10).with(100_u32);
    assert_eq!(each_lane_with(&bus, Act::Fail, &cx), [Ok(110), Ok(110)]);
}

#[test]
fn a_context_is_no_attempt_but_the_first() {
    let bus = CommandBus::builder()
        .register(from_fn(|_: Act, cx: &Context<'_>| Ok(cx.attempt())))
        .build()
        .expect("one name");
    assert_eq!(each_lane(&bus, Act::Fail), [Ok(1), Ok(1)]);
    assert_eq!(Context::new().derive().attempt(), 1);
}

#[test]
fn debug_shows_the_limits_of_a_context() {
    let token = CancelToken::new();
    token.cancel();
    let trace = TraceParent::new([1; 16], [2; 8], 1).expect("no zeros");
    let cx = Context::new().cancel_on(token).trace_parent(trace);
    let text = format!("{cx:?}");
    assert!(text.contains("remaining: None, cancelled: true"), "{text}");
    assert!(text.contains("trace: Some(TraceParent"), "{text}");
}
