//! Checks nested timeouts against the rules of their documentation.

use arcbus::middleware::Timeout;
use arcbus::{Context, Error, Outcome, Phase, TimeLimit};
use proptest::prelude::*;

use crate::acts::block;
use crate::worker::{Derives, SECOND, Work, builder, worker};

/// A timeout and its grace, in seconds.
type Times = (u32, u32);

/// Returns the second at which [`Work`] that goes on is dropped.
fn end(layers: &[Times], deadline: u32) -> u32 {
    let ends = layers.iter().map(|(timeout, grace)| timeout + grace);
    ends.chain([deadline]).min().expect("the deadline")
}

/// Returns the outcome of [`Work`] of `seconds` seconds and its notes, by the rules of the
/// documentation.
fn expected(layers: &[Times], deadline: u32, seconds: u32) -> (Outcome<Work>, String) {
    let end = end(layers, deadline);
    let limit = layers.iter().map(|(timeout, _)| *timeout);
    let limit = limit.chain([deadline]).min().expect("the deadline");
    let is_told = |after: u32| {
        let begun =
            |(timeout, grace): &Times| *grace > 0 && *timeout < deadline && *timeout <= after;
        layers.iter().any(begun)
    };
    let notes = (1..=seconds).take_while(|after| *after < end).map(|after| {
        let told = if is_told(after) { "!" } else { "" };
        format!("{}{told}", limit.saturating_sub(after))
    });
    let mut notes: Vec<_> = notes.collect();
    if seconds < end {
        return (Ok(seconds), notes.join(" "));
    }
    notes.push("gone".into());
    let dropped = Error::Timeout {
        phase: Phase::Indeterminate,
        elapsed: SECOND * end,
        limit: match limit == deadline {
            true => TimeLimit::Caller,
            false => TimeLimit::Layer,
        },
    };
    (Err(dropped), notes.join(" "))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn nested_timeouts_follow_their_documentation(
        timeouts in prop::collection::vec(1_u32..9, 1..4),
        (with_grace, grace) in (0_usize..3, 0_u32..5),
        derives in any::<bool>(),
        deadline in prop_oneof![Just(1000), 1_u32..12],
        seconds in 0_u32..14,
    ) {
        // Only one layer has a grace, and the grace never begins when all ends: the poll that tells
        // the work to end is one more chance to finish.
        let grace = |nth| if nth == with_grace { grace } else { 0 };
        let times = timeouts.iter().enumerate().map(|(nth, timeout)| (*timeout, grace(nth)));
        let times: Vec<_> = times.collect();
        let last = end(&times, deadline);
        prop_assume!(times.iter().all(|(timeout, grace)| *timeout != last || *grace == 0));
        let timeout = |nth: usize| times.get(nth).map(|(timeout, grace)| {
            Timeout::new(SECOND * *timeout).grace(SECOND * *grace)
        });
        let (worker, clock, steps) = worker();
        let bus = builder(&clock)
            .layer(timeout(0))
            .layer(timeout(1))
            .wrap(derives.then_some(Derives))
            .layer(timeout(2))
            .register(worker)
            .build()
            .expect("in range");
        let cx = Context::new().timeout(SECOND * deadline);
        let expected = expected(&times, deadline, seconds);
        let blocked = bus.execute_blocking_with(Work { seconds }, cx.clone());
        prop_assert_eq!(&(blocked, steps.take()), &expected);
        let awaited = block(bus.execute_with(Work { seconds }, cx));
        prop_assert_eq!(&(awaited, steps.take()), &expected);
    }
}
