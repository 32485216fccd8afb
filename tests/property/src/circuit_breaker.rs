//! Checks any sequence of calls, waits and manual changes against the [`model`].

mod model;

use std::time::Duration;

use arcbus::Verdict;
use arcbus::middleware::circuit_breaker::{Admission, CircuitBreakerPolicy, Limits, State, Window};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use model::{Model, Ticket};

#[derive(Clone, Debug)]
enum Step {
    Begin,
    /// Ends the running call with this number, modulo the number of running calls.
    End(usize, Verdict),
    Drop(usize),
    /// A call that takes no time.
    Call(Verdict),
    Wait(Duration),
    Force(State),
    MetricsOnly,
    Limit(Limits),
}

const MS: Duration = Duration::from_millis(1);

fn windows() -> impl Strategy<Value = Window> {
    prop_oneof![
        Just(Window::Consecutive),
        prop_oneof![1..6_u32, 14..20_u32].prop_map(Window::Calls),
        Just(Window::Time(16 * MS)),
    ]
}

fn limits(window: Window) -> impl Strategy<Value = Limits> {
    let rate = || select(vec![0.25, 0.5, 1.0]);
    let most = if let Window::Calls(length) = window {
        length.min(5)
    } else {
        5
    };
    let trips = (
        1..4_u32,
        rate(),
        1..=most,
        proptest::option::of((1..8_u32, rate())),
    );
    let growth = proptest::option::of(Just((2.0, 20 * MS)));
    let waits = (1..10_u32, growth, 1..4_u32, 1..20_u32);
    (trips, waits).prop_map(move |(trips, waits)| {
        let mut limits = Limits::of(window);
        limits.failures = trips.0;
        if window != Window::Consecutive {
            (limits.failure_rate, limits.minimum_calls) = (trips.1, trips.2);
            limits.slow_calls = trips.3.map(|(after, rate)| (after * MS, rate));
        }
        (limits.open_for, limits.open_growth) = (waits.0 * MS, waits.1);
        (limits.half_open_probes, limits.half_open_for) = (waits.2, waits.3 * MS);
        limits
    })
}

fn steps(window: Window) -> impl Strategy<Value = Vec<Step>> {
    let verdict = || {
        prop_oneof![
            4 => Just(Verdict::Success),
            4 => Just(Verdict::Failure),
            1 => Just(Verdict::Neutral),
        ]
    };
    let forced = vec![
        State::Closed,
        State::ForcedOpen,
        State::ForcedClosed,
        State::Disabled,
    ];
    let step = prop_oneof![
        20 => Just(Step::Begin),
        20 => (any::<usize>(), verdict()).prop_map(|(nth, verdict)| Step::End(nth, verdict)),
        4 => any::<usize>().prop_map(Step::Drop),
        20 => verdict().prop_map(Step::Call),
        20 => (0..4_000_000_u64).prop_map(|nanos| Step::Wait(Duration::from_nanos(nanos))),
        4 => (4..40_u32).prop_map(|ms| Step::Wait(ms * MS)),
        1 => select(forced).prop_map(Step::Force),
        1 => Just(Step::MetricsOnly),
        2 => limits(window).prop_map(Step::Limit),
    ];
    vec(step, 1..150)
}

fn cases() -> impl Strategy<Value = (Window, Limits, Vec<Step>)> {
    windows().prop_flat_map(|window| (Just(window), limits(window), steps(window)))
}

/// The breaker and its model, with the running calls.
struct Both<'a> {
    real: &'a CircuitBreakerPolicy,
    model: Model,
    calls: Vec<(Admission<'a>, Ticket)>,
    now: Duration,
}

impl<'a> Both<'a> {
    fn begin(&mut self) -> Option<(Admission<'a>, Ticket)> {
        match (self.real.try_admit(self.now), self.model.admit(self.now)) {
            (Ok(admission), Ok(ticket)) => Some((admission, ticket)),
            (Err(refused), Err(after)) => {
                assert_eq!(refused.retry_after(), after);
                None
            }
            (real, model) => panic!("{real:?}, but the model {:?}", model.is_ok()),
        }
    }

    fn end(&mut self, call: (Admission<'a>, Ticket), verdict: Verdict) {
        call.0.complete(verdict, self.now);
        self.model.complete(call.1, verdict, self.now);
    }

    fn pick(&mut self, nth: usize) -> Option<(Admission<'a>, Ticket)> {
        let nth = nth.checked_rem(self.calls.len())?;
        Some(self.calls.swap_remove(nth))
    }

    fn force(&mut self, state: State) {
        self.model.force(state, false);
        match state {
            State::ForcedOpen => self.real.force_open(),
            State::ForcedClosed => self.real.force_closed(),
            State::Disabled => self.real.disable(),
            _ => self.real.reset(),
        }
    }

    fn run(&mut self, step: &Step) {
        match step {
            Step::Begin => {
                let begun = self.begin();
                self.calls.extend(begun);
            }
            Step::End(nth, verdict) => {
                if let Some(call) = self.pick(*nth) {
                    self.end(call, *verdict);
                }
            }
            Step::Drop(nth) => {
                if let Some((admission, ticket)) = self.pick(*nth) {
                    drop(admission);
                    self.model.complete(ticket, Verdict::Neutral, self.now);
                }
            }
            Step::Call(verdict) => {
                if let Some(call) = self.begin() {
                    self.end(call, *verdict);
                }
            }
            Step::Wait(time) => self.now += *time,
            Step::Force(state) => self.force(*state),
            Step::MetricsOnly => {
                self.model.force(State::Closed, true);
                self.real.metrics_only();
            }
            Step::Limit(limits) => {
                self.model.limits = *limits;
                self.real.set_limits(*limits).expect("in range");
            }
        }
    }

    fn compare(&self) {
        let reading = self.real.reading();
        assert_eq!(reading.state(), self.model.state);
        assert_eq!(reading.epoch(), self.model.epoch);
        assert_eq!(reading.is_metrics_only(), self.model.metrics_only);
        let counts = (reading.calls(), reading.failures(), reading.slow());
        assert_eq!(counts, self.model.counts());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_breaker_behaves_like_its_model((window, limits, steps) in cases()) {
        let real = CircuitBreakerPolicy::new(window, limits).expect("in range");
        let model = Model::new(window, limits);
        let mut both = Both { real: &real, model, calls: Vec::new(), now: 100 * MS };
        for step in &steps {
            both.run(step);
            both.compare();
        }
    }
}
