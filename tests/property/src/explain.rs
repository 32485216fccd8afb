//! The figures that `explain` computes for a stack are those of its worst run.

use arcbus::middleware::Timeout;
use arcbus::{Facts, Layers};
use proptest::prelude::*;

use crate::ms;
use crate::stand_ins::{Ask, Other};

proptest! {
    /// Follows step by step a layer that runs the inner service several times: at once, in sequence
    /// and with waits.
    #[test]
    fn figures_equal_those_of_the_worst_run(
        (a, b) in ((1_u32..4, 1_u32..4, 0_u64..50), (1_u32..4, 1_u32..4, 0_u64..50)),
        (each, total) in (1_u64..100, 1_u64..1000),
    ) {
        let layer = |(attempts, at_once, waits): (u32, u32, u64)| {
            Other(Facts::new().attempts(attempts).at_once(at_once).waits(ms(waits)))
        };
        let stack = Layers::new()
            .layer(Timeout::new(ms(total)))
            .layer(layer(a))
            .layer(layer(b))
            .layer(Timeout::new(ms(each)));

        let (mut calls, mut time) = (0, 0);
        for _ in 0..a.0 {
            for _ in 0..b.0 {
                time += each;
                calls += u64::from(a.1 * b.1);
            }
            time += b.2;
        }
        time += a.2;
        let expected = (a.0 * b.0, calls, Some(ms(time.min(total))));
        let explanation = stack.explain::<Ask>();
        let figures = (
            explanation.max_attempts(),
            explanation.max_handler_calls(),
            explanation.longest(),
        );
        prop_assert_eq!(figures, expected);
    }
}
