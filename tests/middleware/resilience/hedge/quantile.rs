//! The measured delay: the samples, and the quantile computed from them.

use std::time::Duration;

use arcbus::middleware::Hedge;

use super::replicas::{End::*, Hedged, MS, ask};

fn hedged(samples: u32) -> Hedged {
    Hedged::new(Hedge::quantile(0.5).samples(samples))
}

/// Asserts that the delay is at most a sixteenth above, the precision of the histogram.
fn assert_near(delay: Option<Duration>, exact: Duration) {
    let delay = delay.expect("enough samples");
    assert!(
        exact <= delay && delay <= exact + exact / 16,
        "{delay:?}, not {exact:?}"
    );
}

#[test]
fn no_hedge_starts_before_there_are_enough_samples() {
    let hedged = hedged(3);
    for _ in 0..3 {
        assert_eq!(hedged.policy().delay(), None);
        assert_eq!(
            hedged.send(ask([(40, Reply), (0, Reply)])).run(),
            (40, Ok(1))
        );
    }
    assert_near(hedged.policy().delay(), MS * 40);
    assert_eq!(hedged.policy().samples(), 3);
    let (ms, outcome) = hedged.send(ask([(400, Reply), (0, Reply)])).run();
    assert_eq!(outcome, Ok(2));
    assert!((40..=43).contains(&ms), "{ms}");
}

#[test]
fn a_latency_is_measured_from_the_first_wait_of_the_first_attempt() {
    let hedged = hedged(1);
    hedged.policy().set_delay(MS * 10).expect("in range");
    assert_eq!(
        hedged.send(ask([(30, Reply), (100, Reply)])).run(),
        (30, Ok(1))
    );
    assert_eq!(hedged.policy().samples(), 1, "the hedge is none");
    hedged
        .policy()
        .set_delay_range(MS, MS * 1_000)
        .expect("in range");
    assert_near(hedged.policy().delay(), MS * 30);
}

#[test]
fn a_first_attempt_that_lost_counts_with_its_time_so_far() {
    let hedged = hedged(2);
    hedged.policy().answered(MS * 10);
    hedged.policy().answered(MS * 10);
    // Two windows of attempts that would take for ever, each of which loses to a hedge after ten
    // milliseconds and five more.
    for _ in 0..4 {
        let (ms, outcome) = hedged.send(ask([(5_000, Reply), (5, Reply)])).run();
        assert!((15..=40).contains(&ms), "{ms}");
        assert_eq!(outcome, Ok(2));
    }
    assert_eq!(hedged.policy().samples(), 4);
    let delay = hedged.policy().delay().expect("measured");
    assert!(delay >= MS * 15, "{delay:?}: not below what they had taken");
}

#[test]
fn an_attempt_without_an_answer_counts_only_past_the_delay() {
    let hedged = hedged(1);
    hedged.policy().answered(MS * 10);
    assert_eq!(hedged.policy().samples(), 1);
    // An attempt that soon failed or was dropped is no sample.
    assert!(hedged.send(ask([(2, Fail)])).run().1.is_err());
    let mut sent = hedged.send(ask([(100, Reply)]));
    assert_eq!((sent.poll(), sent.pass(5)), (None, None));
    drop(sent);
    assert_eq!(hedged.policy().samples(), 1);
    // An error that blames the message is an answer, and so a sample.
    assert!(hedged.send(ask([(2, Refuse)])).run().1.is_err());
    assert_eq!(hedged.policy().samples(), 2);
    assert_near(hedged.policy().delay(), MS * 2);
    // An attempt that is dropped late ends by its caller's haste.
    let mut sent = hedged.send(ask([(100, Reply), (100, Reply)]));
    assert_eq!((sent.poll(), sent.pass(50)), (None, None));
    drop(sent);
    assert_eq!(hedged.policy().samples(), 2);
    assert_near(hedged.policy().delay(), MS * 2);
    // An attempt that fails late is a sample.
    for ms in [50, 70] {
        assert!(hedged.send(ask([(ms, Fail), (1, Fail)])).run().1.is_err());
    }
    assert_near(hedged.policy().delay(), MS * 50);
}

#[test]
fn the_delay_follows_the_backend_within_two_windows() {
    let hedged = hedged(10);
    let run = |ms| {
        (0..20).for_each(|_| drop(hedged.send(ask([(ms, Reply), (ms, Reply)])).run()));
        hedged.policy().delay()
    };
    assert_near(run(10), MS * 10);
    let slow = run(100).expect("measured");
    assert!(slow >= MS * 100 && slow <= MS * 107, "{slow:?}");
    assert_near(run(10), MS * 10);
}

#[test]
fn an_extreme_latency_has_a_bucket() {
    let policy = Hedge::quantile(0.9).samples(1).policy().expect("in range");
    policy.answered(Duration::ZERO);
    assert_eq!(policy.delay(), Some(Duration::ZERO));
    policy.answered(Duration::MAX);
    policy.answered(Duration::MAX);
    let longest = policy.delay().expect("measured");
    assert_eq!(longest, Duration::from_nanos(1 << 36), "the last bucket");
}
