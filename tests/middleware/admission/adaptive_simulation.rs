//! Checks that the limit finds the capacity of a simulated backend. Its workers take messages from
//! one queue, and messages arrive twice as fast as they are done. Time is a plain number, without a
//! clock.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::RangeInclusive;
use std::time::Duration;

use arcbus::middleware::adaptive_limit::{AdaptiveLimitPolicy, InFlight};
use arcbus::middleware::{AdaptiveLimit, Priority};

/// Mean time that a worker takes for a message, in microseconds.
const SERVICE: u64 = 1_000;

struct Backend {
    workers: usize,
    /// The time at which each worker is free again, in microseconds.
    busy: BinaryHeap<Reverse<u64>>,
    service: u64,
    /// True if service times are spread evenly from 0 to twice the mean.
    noisy: bool,
    /// Number of queued messages at which the backend fails a new message.
    breaks_at: usize,
    random: u64,
}

impl Backend {
    fn new(workers: usize) -> Self {
        Self {
            workers,
            busy: BinaryHeap::new(),
            service: SERVICE,
            noisy: false,
            breaks_at: usize::MAX,
            random: 1,
        }
    }

    /// Returns the time at which a message that arrives at `now` is done.
    fn done(&mut self, now: u64) -> u64 {
        let free = match self.busy.len() >= self.workers {
            true => self.busy.pop().map_or(now, |Reverse(free)| free),
            false => now,
        };
        while self.busy.len() >= self.workers {
            self.busy.pop();
        }
        let done = free.max(now) + self.service_time();
        self.busy.push(Reverse(done));
        done
    }

    fn service_time(&mut self) -> u64 {
        // Takes the upper bits of Knuth's generator, because its lower bits are less random.
        self.random = self
            .random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        match self.noisy {
            true => (self.random >> 33) % (2 * self.service) + 1,
            false => self.service,
        }
    }
}

/// The observations of a run of the simulation.
struct Seen {
    /// The limit at the arrival of each message, in ascending order.
    limits: Vec<usize>,
    answered: u64,
}

impl Seen {
    /// Returns the range of the middle eight tenths of the limits.
    fn range(&self) -> RangeInclusive<usize> {
        let tenth = self.limits.len() / 10;
        self.limits[tenth]..=self.limits[self.limits.len() - 1 - tenth]
    }
}

struct Simulation {
    policy: &'static AdaptiveLimitPolicy,
    backend: Backend,
    now: u64,
    /// Time between the arrivals of two messages, in nanoseconds.
    every: u64,
    running: BinaryHeap<Reverse<(u64, usize)>>,
    permits: Vec<Option<(InFlight<'static>, bool)>>,
}

impl Simulation {
    fn new(limit: AdaptiveLimit, backend: Backend) -> Self {
        let policy = Box::leak(Box::new(limit.policy().expect("in range")));
        Self {
            policy,
            every: backend.service * 1_000 / backend.workers as u64 / 2,
            backend,
            now: 0,
            running: BinaryHeap::new(),
            permits: vec![],
        }
    }

    fn run(&mut self, messages: usize) -> Seen {
        let mut seen = Seen {
            limits: vec![],
            answered: 0,
        };
        for _ in 0..messages {
            self.now += self.every;
            seen.answered += self.finish();
            self.send();
            seen.limits.push(self.policy.usage().limit);
        }
        seen.limits.sort_unstable();
        seen
    }

    fn send(&mut self) {
        let now = Duration::from_nanos(self.now);
        let Some(permit) = self.policy.try_acquire(Priority::Critical, now) else {
            return;
        };
        let fails = self.running.len() >= self.backend.breaks_at;
        let done = match fails {
            true => self.now / 1_000 + SERVICE,
            false => self.backend.done(self.now / 1_000),
        };
        self.running.push(Reverse((done, self.permits.len())));
        self.permits.push(Some((permit, fails)));
    }

    fn finish(&mut self) -> u64 {
        let mut answered = 0;
        while let Some(&Reverse((done, index))) = self.running.peek()
            && done <= self.now / 1_000
        {
            self.running.pop();
            let (permit, failed) = self.permits[index].take().expect("once");
            let done = Duration::from_micros(done);
            match failed {
                true => permit.overloaded(done),
                false => permit.answered(done),
            }
            answered += u64::from(!failed);
        }
        answered
    }
}

fn within(seen: &Seen, expected: RangeInclusive<usize>) {
    let range = seen.range();
    assert!(
        expected.contains(range.start()) && expected.contains(range.end()),
        "{range:?} is not within {expected:?}"
    );
}

/// Returns the part of the workers' capacity that was used in the run.
fn busy_part(seen: &Seen) -> f64 {
    seen.answered as f64 / (seen.limits.len() as f64 / 2.0)
}

#[test]
fn vegas_finds_the_capacity_from_below_and_from_above() {
    for (initial, workers) in [(20, 100), (400, 100), (20, 10), (1, 10), (20, 600)] {
        let limit = AdaptiveLimit::vegas().initial(initial);
        let mut simulation = Simulation::new(limit, Backend::new(workers));
        simulation.run(workers * 1_000);
        let seen = simulation.run(workers * 1_000);
        within(&seen, workers..=workers * 4 / 3 + 6);
        assert!(busy_part(&seen) > 0.95, "{}", busy_part(&seen));
    }
}

#[test]
fn vegas_follows_a_backend_that_loses_workers() {
    let mut simulation = Simulation::new(AdaptiveLimit::vegas(), Backend::new(100));
    simulation.run(200_000);
    simulation.backend.workers = 40;
    simulation.run(200_000);
    within(&simulation.run(200_000), 40..=60);
}

#[test]
fn vegas_does_not_take_a_slower_backend_for_a_loaded_one() {
    let mut simulation = Simulation::new(AdaptiveLimit::vegas(), Backend::new(100));
    simulation.run(200_000);
    simulation.backend.service = 3 * SERVICE;
    simulation.run(600_000);
    within(&simulation.run(200_000), 100..=140);
}

#[test]
fn vegas_tolerates_noise() {
    let mut backend = Backend::new(100);
    backend.noisy = true;
    let mut simulation = Simulation::new(AdaptiveLimit::vegas(), backend);
    simulation.run(200_000);
    let seen = simulation.run(400_000);
    within(&seen, 90..=140);
    assert!(busy_part(&seen) > 0.95, "{}", busy_part(&seen));
}

#[test]
fn aimd_settles_at_the_tolerated_latency() {
    // The latency is half as much again as without load, reached at one and a half times the
    // capacity.
    let slow = Duration::from_micros(SERVICE * 3 / 2);
    for initial in [20, 400] {
        let limit = AdaptiveLimit::aimd(slow).initial(initial);
        let mut simulation = Simulation::new(limit, Backend::new(100));
        simulation.run(200_000);
        within(&simulation.run(200_000), 125..=155);
    }
}

#[test]
fn aimd_keeps_its_limit_without_failures() {
    let mut backend = Backend::new(1_000);
    backend.breaks_at = 100;
    let limit = AdaptiveLimit::aimd(Duration::from_secs(1));
    let mut simulation = Simulation::new(limit, backend);
    simulation.run(1_000_000);
    within(&simulation.run(500_000), 85..=105);
}

#[test]
fn an_unused_limit_does_not_grow() {
    let slow = Duration::from_secs(1);
    for limit in [AdaptiveLimit::aimd(slow), AdaptiveLimit::vegas()] {
        let mut simulation = Simulation::new(limit, Backend::new(100));
        // This rate keeps eight or nine messages running at once.
        simulation.every = SERVICE * 1_000 / 8 + 1;
        let seen = simulation.run(20_000);
        assert_eq!(seen.range(), 20..=20);
        simulation.every = SERVICE * 1_000 / 12;
        simulation.run(20_000);
        let limit = simulation.policy.usage().limit;
        assert!(
            (21..=29).contains(&limit),
            "grows until half is used: {limit}"
        );
    }
}
