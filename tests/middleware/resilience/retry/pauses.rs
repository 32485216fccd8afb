//! The pauses of a message between two attempts, in milliseconds.

use arcbus::middleware::Retry;
use arcbus::middleware::retry::Jitter;
use arcbus::{Class, Context, Error, QueryBus};

use crate::asking::{Down, FAIL, Step, down, ms, rig};

/// Returns the attempts with their times in milliseconds.
fn times(retry: Retry, script: fn(u32) -> Step) -> String {
    let rig = rig(QueryBus::builder().layer(retry));
    let _ = rig.run(script);
    rig.steps.take()
}

fn limited(attempt: u32, retry_after: u64) -> Step {
    let retry_after = ms(retry_after);
    match attempt {
        1 => Step::Refused(Error::RateLimited { retry_after }),
        _ => Step::Reply,
    }
}

#[test]
fn fixed_pauses_are_equal() {
    assert_eq!(times(Retry::fixed(3, ms(10)), |_| FAIL), "1@0 2@10 3@20");
}

#[test]
fn linear_pauses_grow_by_a_step() {
    assert_eq!(
        times(Retry::linear(4, ms(10)), |_| FAIL),
        "1@0 2@10 3@30 4@60"
    );
}

#[test]
fn exponential_pauses_double_up_to_the_longest() {
    let retry = Retry::exponential(6, ms(10)).jitter(Jitter::None);
    let retry = retry.max_delay(ms(50));
    assert_eq!(times(retry, |_| FAIL), "1@0 2@10 3@30 4@70 5@120 6@170");
    let retry = Retry::exponential(4, ms(10))
        .jitter(Jitter::None)
        .factor(3.0);
    assert_eq!(times(retry, |_| FAIL), "1@0 2@10 3@40 4@130");
}

#[test]
fn a_pause_is_waited_for_on_a_thread_too() {
    let rig = rig(QueryBus::builder().layer(Retry::fixed(3, ms(10))));
    let clock = rig.clock.clone();
    let blocked = rig.block_with(|_| FAIL, Context::new(), || clock.advance(ms(1)));
    assert_eq!(blocked, Err(down(Class::Transient)));
    let steps = rig.steps.take();
    let at = |step: &str| {
        step.split_once('@')
            .expect("a time")
            .1
            .parse::<u64>()
            .expect("millis")
    };
    let times: Vec<_> = steps.split(' ').map(at).collect();
    let pauses: Vec<_> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(
        pauses.len() == 2 && pauses.iter().all(|pause| *pause >= 10),
        "{steps}"
    );
}

#[test]
fn seeded_pauses_are_repeatable_and_spread() {
    let seeded = |seed| {
        let retry = Retry::exponential(8, ms(1_000)).factor(1.0).seed(seed);
        times(retry, |_| FAIL)
    };
    assert_eq!(seeded(1), seeded(1));
    assert_ne!(seeded(1), seeded(2));
    let unseeded = || times(Retry::exponential(8, ms(1_000)), |_| FAIL);
    assert_ne!(unseeded(), unseeded());
}

#[test]
fn a_retry_waits_for_retry_after_plus_its_delay() {
    let fixed = || Retry::fixed(2, ms(10)).max_delay(ms(50));
    assert_eq!(times(fixed(), |n| limited(n, 25)), "1! 2@35");
    assert_eq!(times(fixed(), |n| limited(n, 0)), "1! 2@10");
    assert_eq!(times(fixed(), |n| limited(n, 40)), "1! 2@50");
    let open = |attempt| match attempt {
        1 => Step::Refused(Error::CircuitOpen {
            retry_after: ms(33),
        }),
        _ => Step::Reply,
    };
    assert_eq!(times(fixed(), open), "1! 2@43");
}

#[test]
fn an_error_with_too_long_a_retry_after_is_returned_at_once() {
    let budget = arcbus::middleware::Budget::new(1.0);
    let retry = Retry::fixed(2, ms(10)).max_delay(ms(50));
    let rig = rig(QueryBus::builder().layer(retry.budget(budget.clone())));
    let (outcome, steps) = rig.both(|n| limited(n, 41));
    assert_eq!(
        (outcome, steps.as_str()),
        (
            Err(Error::RateLimited {
                retry_after: ms(41)
            }),
            "1!"
        )
    );
    assert_eq!(budget.available(), 100.0);
}

#[test]
fn no_pause_ends_at_the_deadline_or_after_it() {
    let rig = rig(QueryBus::builder().layer(Retry::fixed(2, ms(10))));
    let run = |limit| {
        let cx = Context::new().timeout(limit);
        let before = rig.clock.now();
        let outcome = rig.run_with(|_| FAIL, cx);
        assert_eq!(outcome, Err(down(Class::Transient)));
        (rig.attempts(), rig.clock.now() - before)
    };
    assert_eq!(run(ms(5)), ("1".into(), ms(0)));
    assert_eq!(run(ms(10)), ("1".into(), ms(0)));
    assert_eq!(
        run(ms(10) + std::time::Duration::from_nanos(1)),
        ("1 2".into(), ms(10))
    );
    let cx = || Context::new().timeout(ms(10));
    let blocked = rig
        .bus
        .execute_blocking_with(crate::asking::query(|_| FAIL), cx());
    assert_eq!(
        (blocked, rig.attempts()),
        (Err(down(Class::Transient)), "1".into())
    );
}

#[test]
fn a_retry_after_past_the_deadline_is_not_awaited() {
    let rig = rig(QueryBus::builder().layer(Retry::fixed(2, ms(1))));
    let cx = Context::new().timeout(ms(20));
    let refused: Result<u32, Error<Down>> = Err(Error::RateLimited {
        retry_after: ms(25),
    });
    assert_eq!(rig.run_with(|n| limited(n, 25), cx), refused);
    assert_eq!(rig.steps.take(), "1!");
}

#[test]
fn retries_with_an_equal_retry_after_are_spread() {
    let spread = |seed| {
        let retry = Retry::exponential(2, ms(100)).seed(seed);
        times(retry, |n| limited(n, 1_000))
    };
    assert_ne!(spread(1), spread(2));
}
