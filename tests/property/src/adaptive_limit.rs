//! The adaptive limit follows its definition step by step, as written down here in a slow and
//! simple way.

use std::time::Duration;

use arcbus::middleware::adaptive_limit::InFlight;
use arcbus::middleware::{AdaptiveLimit, Priority};
use proptest::prelude::*;

#[derive(Clone, Copy, Debug)]
enum Step {
    Enter(Priority),
    Answer(usize),
    Overload(usize),
    Drop(usize),
    Wait(u64),
    SetRange(u64, u64),
}

fn step() -> impl Strategy<Value = Step> {
    let priority = prop_oneof![
        Just(Priority::Background),
        Just(Priority::Low),
        Just(Priority::Normal),
        Just(Priority::Critical),
    ];
    prop_oneof![
        30 => priority.prop_map(Step::Enter),
        25 => any::<usize>().prop_map(Step::Answer),
        1 => any::<usize>().prop_map(Step::Overload),
        3 => any::<usize>().prop_map(Step::Drop),
        20 => (1..200_u64).prop_map(Step::Wait),
        1 => (1..5_u64, 0..40_u64).prop_map(|(min, more)| Step::SetRange(min, min + more)),
    ]
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Aimd { slow: u64 },
    Vegas,
}

/// The model keeps every measured latency, without packing.
struct Model {
    kind: Kind,
    limit: u64,
    range: (u64, u64),
    least: usize,
    in_flight: u64,
    opened: u64,
    lowered: u64,
    size: usize,
    samples: Vec<u64>,
    peak: u64,
    refused: bool,
    settling: bool,
    baseline: Option<u64>,
    age: u32,
    halved: Option<u64>,
}

impl Model {
    fn new(kind: Kind, initial: u64, least: usize) -> Self {
        Self {
            kind,
            limit: initial,
            range: (1, 60),
            least,
            in_flight: 0,
            opened: 0,
            lowered: 0,
            size: least,
            samples: vec![],
            peak: 0,
            refused: false,
            settling: false,
            baseline: None,
            age: 0,
            halved: None,
        }
    }

    fn enter(&mut self, priority: Priority) -> bool {
        let part = match priority {
            Priority::Background => 0.5,
            Priority::Low => 0.75,
            Priority::Normal => 0.875,
            Priority::Critical => 1.0,
        };
        let enters = self.in_flight < (self.limit as f64 * part).ceil() as u64;
        if enters {
            self.in_flight += 1;
            self.peak = self.peak.max(self.in_flight);
        } else {
            self.refused = true;
        }
        enters
    }

    fn answer(&mut self, entered: u64, now: u64) {
        if self.samples.len() < self.size {
            self.samples.push(now - entered);
        }
        if self.samples.len() >= self.size && entered >= self.opened {
            let mean = self.samples.iter().sum::<u64>() / self.samples.len() as u64;
            self.judge(mean.max(1));
            self.open(now);
        }
    }

    fn overload(&mut self, entered: u64, now: u64) {
        if entered >= self.lowered {
            self.lowered = now;
            let from = self.halved.take().unwrap_or(0).max(self.limit);
            self.set(Self::backed_off(from));
            self.settling = true;
            self.open(now);
        }
    }

    fn open(&mut self, now: u64) {
        self.opened = now;
        self.samples.clear();
        self.size = self.least.max(self.in_flight as usize);
        (self.peak, self.refused) = (0, false);
    }

    fn set(&mut self, limit: u64) {
        self.limit = limit.clamp(self.range.0, self.range.1);
    }

    fn backed_off(limit: u64) -> u64 {
        ((limit as f64 * 0.9).floor() as u64).min(limit - 1)
    }

    fn judge(&mut self, mean: u64) {
        if self.settling {
            self.settling = false;
            return;
        }
        let before = self.limit;
        let next = match self.kind {
            Kind::Aimd { slow } if mean > slow => Self::backed_off(before),
            Kind::Aimd { .. } if self.is_used() => before + 1,
            Kind::Aimd { .. } => before,
            Kind::Vegas => self.vegas(mean),
        };
        self.settling = next != before;
        self.set(next);
    }

    fn is_used(&self) -> bool {
        self.refused || self.peak * 2 >= self.limit
    }

    fn vegas(&mut self, mean: u64) -> u64 {
        if let Some(before) = self.halved.take() {
            (self.baseline, self.age) = (Some(mean), 0);
            return before;
        }
        let mut baseline = self.baseline.unwrap_or(mean).min(mean);
        self.age += 1;
        if self.age >= 100 && !self.is_used() {
            (baseline, self.age) = (mean, 0);
        }
        self.baseline = Some(baseline);
        if self.age >= 100 && self.refused {
            self.halved = Some(self.limit);
            return self.limit / 2;
        }
        let limit = self.limit as f64;
        let queue = limit * (1.0 - baseline as f64 / mean as f64);
        let step = limit.sqrt().floor();
        // The queue length is a whole number, and so are the thresholds.
        let queue = (queue + 1e-9).floor();
        if queue > (limit / 5.0).floor().max(6.0) {
            (limit - step) as u64
        } else if queue < (limit / 10.0).floor().max(3.0) && self.is_used() {
            (limit + step) as u64
        } else {
            self.limit
        }
    }
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        (100..1_500_u64).prop_map(|slow| Kind::Aimd { slow }),
        Just(Kind::Vegas),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn the_limit_equals_the_models_at_every_step(
        kind in kind(),
        initial in 1..40_u64,
        least in 1..6_usize,
        steps in proptest::collection::vec(step(), 1..2_500),
    ) {
        let limit = match kind {
            Kind::Aimd { slow } => AdaptiveLimit::aimd(Duration::from_nanos(slow)),
            Kind::Vegas => AdaptiveLimit::vegas(),
        };
        let limit = limit.initial(initial as usize).range(1, 60).window(least);
        let policy = limit.policy().unwrap();
        let mut model = Model::new(kind, initial, least);
        let mut permits: Vec<(u64, InFlight<'_>)> = vec![];
        let mut now = 1_000_u64;
        for step in steps {
            let index = match step {
                Step::Answer(index) | Step::Overload(index) | Step::Drop(index) => index,
                _ => 0,
            };
            let taken = match step {
                Step::Answer(_) | Step::Overload(_) | Step::Drop(_) if !permits.is_empty() => {
                    Some(permits.remove(index % permits.len()))
                }
                _ => None,
            };
            let at = Duration::from_nanos(now);
            match (step, taken) {
                (Step::Enter(priority), _) => {
                    let permit = policy.try_acquire(priority, at);
                    prop_assert_eq!(permit.is_some(), model.enter(priority));
                    permits.extend(permit.map(|permit| (now, permit)));
                }
                (Step::Wait(by), _) => now += by,
                (Step::SetRange(min, max), _) => {
                    policy.set_range(min as usize, max as usize).unwrap();
                    model.range = (min, max);
                    model.set(model.limit);
                }
                (Step::Answer(_), Some((entered, permit))) => {
                    model.answer(entered, now);
                    permit.answered(at);
                    model.in_flight -= 1;
                }
                (Step::Overload(_), Some((entered, permit))) => {
                    model.overload(entered, now);
                    permit.overloaded(at);
                    model.in_flight -= 1;
                }
                (Step::Drop(_), Some((_, permit))) => {
                    drop(permit);
                    model.in_flight -= 1;
                }
                (_, None) => {}
            }
            let usage = policy.usage();
            prop_assert_eq!(
                (usage.limit, usage.in_flight),
                (model.limit as usize, model.in_flight as usize)
            );
            prop_assert_eq!(policy.baseline(), model.baseline.map(Duration::from_nanos));
        }
    }
}
