//! The number of clock readings for a message that is repeated.

use std::time::Duration;

use arcbus::metrics::Metrics;
use arcbus::middleware::{CircuitBreaker, Retry, Timeout};
use arcbus::{Class, QueryBus};

use crate::asking::{FAIL, Step, down, ms, query, rig};

#[test]
fn an_attempt_without_a_wait_reads_the_clock_twice() {
    let retry = Retry::fixed(3, Duration::ZERO);
    let rig = rig(QueryBus::builder()
        .layer(Metrics::new().layer())
        .layer(Timeout::new(ms(1000)))
        .layer(retry)
        .layer(CircuitBreaker::count_window(100).slow_calls(ms(500), 0.5))
        .layer(Timeout::new(ms(100))));
    for (script, attempts) in [
        ((|_| Step::Reply) as fn(u32) -> Step, 1),
        (|n| if n < 3 { FAIL } else { Step::Reply }, 3),
        (|_| FAIL, 3),
    ] {
        let before = rig.clock.reads();
        let outcome = rig.bus.execute_blocking(query(script));
        assert!(outcome.is_ok() || outcome == Err(down(Class::Transient)));
        assert!(rig.clock.reads() - before <= 2 * attempts, "{attempts}");
    }
}
