//! The simulation, in which time jumps from one event to the next.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use arcbus::{Context, FakeClock, QueryBus, RegistrationError};

use super::backend::{Backend, GetQuote};
use super::executor::Tasks;
use super::random::Random;
use super::record::Record;
use super::scenario::{Scenario, Site};
use super::timeline::{Phase, Timeline};

/// Time for which a caller waits for a reply.
pub(crate) const PATIENCE: Duration = Duration::from_secs(1);
/// Number of different quotes, of which the low keys are popular.
const KEYS: u32 = 1000;

/// Callers, a bus, and the backend behind the bus.
struct World {
    clock: FakeClock,
    now: Duration,
    backend: Backend,
    bus: Rc<QueryBus>,
    tasks: Tasks,
    record: Rc<RefCell<Record>>,
    arrivals: Arrivals,
    phases: std::slice::Iter<'static, Phase>,
}

/// Arrivals of messages, which are independent of each other and of earlier outcomes.
struct Arrivals {
    random: Random,
    rate: f64,
    next: Duration,
    end: Duration,
}

/// Runs a scenario, and returns an equal record for an equal seed.
///
/// # Errors
///
/// Returns an error if a setting of its layers is out of range.
pub(crate) fn run(scenario: &Scenario, seed: u64) -> Result<Record, RegistrationError> {
    let mut world = World::new(scenario, seed)?;
    while world.step() {}
    Ok(world.into_record())
}

impl World {
    fn new(scenario: &Scenario, seed: u64) -> Result<Self, RegistrationError> {
        let timeline = scenario.timeline;
        let clock = FakeClock::new();
        let mut seeds = Random::new(seed);
        let arrivals = Arrivals::new(timeline, Random::new(seeds.next()));
        let backend = Backend::new(timeline.phases[0].health, Random::new(seeds.next()));
        let site = Site {
            backend: backend.clone(),
            clock: clock.clone(),
            seed: seeds.next(),
        };
        Ok(Self {
            now: Duration::ZERO,
            bus: Rc::new((scenario.bus)(site)?),
            tasks: Tasks::default(),
            record: Rc::new(RefCell::new(Record::new(timeline))),
            phases: timeline.phases.iter(),
            clock,
            backend,
            arrivals,
        })
    }

    /// Advances to the next event, and returns whether there was one.
    fn step(&mut self) -> bool {
        let Some(next) = self.next_event() else {
            return false;
        };
        self.backend.advance(next);
        self.clock.advance(next - self.now);
        self.now = next;
        self.change_phase();
        self.let_arrive();
        self.tasks.run();
        true
    }

    fn next_event(&self) -> Option<Duration> {
        let alarm = self.clock.next_alarm().map(|left| self.now + left);
        let phase = self.phases.as_slice().first().map(|phase| phase.from);
        let events = [self.arrivals.next(), self.backend.next_end(), alarm, phase];
        events.into_iter().flatten().min()
    }

    fn change_phase(&mut self) {
        let due = |phase: &&Phase| phase.from <= self.now;
        if let Some(phase) = self.phases.as_slice().first().filter(due) {
            self.backend.set_health(phase.health);
            self.phases.next();
        }
    }

    fn let_arrive(&mut self) {
        let Some(msg) = self.arrivals.arrive(self.now) else {
            return;
        };
        self.record.borrow_mut().arrive(self.now);
        let (bus, record) = (Rc::clone(&self.bus), Rc::clone(&self.record));
        let (clock, start, arrived) = (self.clock.clone(), self.clock.now(), self.now);
        self.tasks.spawn(async move {
            let cx = Context::new().timeout(PATIENCE);
            let outcome = bus.execute_with(msg, cx).await;
            let now = arrived + (clock.now() - start);
            record.borrow_mut().end(arrived, now, &outcome);
        });
    }

    fn into_record(self) -> Record {
        let mut record = self.record.take();
        record.take_calls(&self.backend.made());
        record
    }
}

impl Arrivals {
    fn new(timeline: &Timeline, mut random: Random) -> Self {
        Self {
            next: random.gap(timeline.rate),
            rate: timeline.rate,
            end: timeline.end,
            random,
        }
    }

    fn next(&self) -> Option<Duration> {
        (self.next < self.end).then_some(self.next)
    }

    fn arrive(&mut self, now: Duration) -> Option<GetQuote> {
        self.next().filter(|next| *next <= now)?;
        self.next += self.random.gap(self.rate);
        let key = self.random.key(KEYS);
        Some(GetQuote { key })
    }
}
