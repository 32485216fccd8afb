//! The text of an explanation, as people read it.

use std::time::Duration;

use arcbus::metrics::Metrics;
use arcbus::middleware::rate_limit::Rate;
use arcbus::middleware::{
    AdaptiveLimit, Bulkhead, Chaos, CircuitBreaker, KeyedRateLimit, RateLimit, Timeout, When,
};
use arcbus::{Context, Explanation, Facts, Layers};

use super::stand_ins::{Ask, Cache, Fallback, Retry, plain};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_route_without_layers_lists_layers_that_would_bound_it() {
    let text = Layers::new().explain::<Ask>().to_string();
    let expected = "\
ask (query), through no layer:
  the handler
At worst, as set up:
  attempts        1, one after the other
  handler calls   1
  time            as long as the handler takes: a `Timeout` outside, or the caller's deadline, limits it
  kept            nothing
  errors          invalid, panicked, transient, permanent, unclassified
  by the caller   late, caller_timeout, cancelled_early, cancelled, would_deadlock
No dangerous order.
";
    assert_eq!(text, expected);
}

#[test]
fn warnings_stand_at_the_end() {
    let text = Layers::new()
        .layer(Cache(Facts::new().keeps(SECOND).note("1s, 100 entries")))
        .layer(plain::Authorize())
        .explain::<Ask>()
        .to_string();
    assert!(
        text.contains("\n  Cache           1s, 100 entries\n"),
        "{text}"
    );
    assert!(
        text.contains("\n  kept            a reply may be 1s old\n"),
        "{text}"
    );
    let last = text.lines().last().expect("there is one");
    assert!(
        last.starts_with("Warning: `Cache` outside `Authorize`: "),
        "{text}"
    );
    assert!(!text.contains("No dangerous order"));
}

fn notes(explanation: &Explanation) -> Vec<String> {
    let text = explanation.to_string();
    let stack = text
        .lines()
        .skip(1)
        .take_while(|line| !line.starts_with("At worst"));
    let lines = stack.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    lines.filter(|line| line != "the handler").collect()
}

#[test]
fn each_layer_shows_its_settings() {
    let keyed = KeyedRateLimit::by_context(Rate::per_second(10).burst(2), |_: &Context<'_>| 0);
    let stack = Layers::new()
        .layer(Metrics::new().layer())
        .layer(keyed.max_keys(7))
        .layer(RateLimit::per_second(100).burst(5))
        .layer(RateLimit::per_second(1).wait_at_most(SECOND))
        .layer(Bulkhead::new(3))
        .layer(AdaptiveLimit::vegas().range(2, 9).initial(4))
        .layer(CircuitBreaker::count_window(40).failure_rate(0.25))
        .layer(CircuitBreaker::time_window(SECOND * 10))
        .layer(Timeout::new(SECOND).grace(SECOND / 2))
        .layer(Chaos::seeded(1).failures(0.5).latency(0.1, SECOND));
    let live = "; can be changed live";
    let expected = [
        "Metrics".to_owned(),
        format!("KeyedRateLimit one each 100ms, burst 2, for up to 7 keys{live}"),
        format!("RateLimit one each 10ms, burst 5{live}"),
        format!("RateLimit one each 1s, burst 1, waits up to 1s{live}"),
        format!("Bulkhead 3 at once{live}"),
        format!("AdaptiveLimit 2 to 9 at once, 4 to begin with{live}"),
        format!("CircuitBreaker opens at a rate of 0.25 failures in 40 calls, for 5s{live}"),
        format!("CircuitBreaker opens at a rate of 0.5 failures in 10s, for 5s{live}"),
        format!("Timeout 1s, 500ms grace{live}"),
        format!("Chaos faults on purpose: 0.5 fail, 0 panic, 0.1 wait 1s{live}"),
    ];
    assert_eq!(notes(&stack.explain::<Ask>()), expected);
}

#[test]
fn a_conditional_layer_is_shown_as_conditional() {
    let by_message = Timeout::new(SECOND).per_message(|_: &Ask, _: &Context<'_>| None);
    let when = |layer| When::new(|_: &Ask, _: &Context<'_>| true, layer);
    let stack = Layers::new()
        .layer(by_message)
        .layer(when(Fallback(Facts::new().note("zero"))))
        .layer(when(Fallback(Facts::new())));
    let expected = [
        "Timeout by message, or 1s; can be changed live",
        "Fallback in some dispatches: zero",
        "Fallback in some dispatches",
    ];
    assert_eq!(notes(&stack.explain::<Ask>()), expected);
}

#[test]
fn columns_are_as_wide_as_the_longest_name() {
    let retry = Retry(Facts::new().note("quick"));
    let breaker = CircuitBreaker::consecutive(10);
    let text = Layers::new()
        .layer(retry)
        .layer(breaker)
        .explain::<Ask>()
        .to_string();
    let columns: Vec<_> = ["quick", "opens after", "1, one after", "invalid"]
        .iter()
        .map(|text_of| {
            let line = text
                .lines()
                .find(|line| line.contains(text_of))
                .expect("shown");
            line.find(text_of).expect("found")
        })
        .collect();
    assert_eq!(columns, [18; 4], "{text}");
}
