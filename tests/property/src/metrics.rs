//! Checks percentiles of the metrics against percentiles of a sorted list.

use std::time::Duration;

use arcbus::metrics::Metrics;
use arcbus::{Command, CommandBus, Context, FakeClock, Message, from_fn};
use proptest::prelude::*;

/// A message whose handler takes `self.0` nanoseconds of the fake clock.
struct Take(u64);

impl Message for Take {
    const NAME: &'static str = "take";
    type Kind = Command;
    type Reply = ();
    type Error = String;
}

fn takes_time(clock: &FakeClock, metrics: &Metrics) -> CommandBus {
    let moved = clock.clone();
    let take = move |msg: Take, _: &Context<'_>| {
        moved.advance(Duration::from_nanos(msg.0));
        Ok(())
    };
    CommandBus::builder()
        .clock(clock.clone())
        .layer(metrics.layer())
        .register(from_fn(take))
        .build()
        .expect("one handler")
}

proptest! {
    #[test]
    fn percentiles_match_a_sorted_list(
        mut nanos in proptest::collection::vec(0..u64::from(u32::MAX), 1..80),
        part in 0.0..=1.0_f64,
    ) {
        let clock = FakeClock::new();
        let metrics = Metrics::new();
        let bus = takes_time(&clock, &metrics);
        for nanos in &nanos {
            prop_assert_eq!(bus.execute_blocking(Take(*nanos)), Ok(()));
        }
        nanos.sort_unstable();
        let rank = (part * nanos.len() as f64).ceil().max(1.0) as usize;
        let exact = nanos[rank - 1];
        let snapshot = metrics.snapshot();
        let take = &snapshot.routes()[0];
        let found = take.percentile(part).expect("there are some").as_nanos() as u64;
        prop_assert!(exact <= found && found - exact <= exact / 16, "{} for {}", found, exact);
        let sum = Duration::from_nanos(nanos.iter().sum());
        prop_assert_eq!(take.mean(), Some(sum / nanos.len() as u32));
    }
}
