//! The bulkhead behaves like a list of running jobs and a list of waiting jobs.

use std::collections::VecDeque;
use std::task::Waker;
use std::time::Duration;

use arcbus::middleware::Bulkhead;
use arcbus::middleware::bulkhead::{BulkheadPolicy, Permit, Turn};
use arcbus::{CommandBus, Context, FakeClock};
use proptest::prelude::*;

use crate::jobs::{Jobs, Sent};

#[derive(Clone, Debug)]
enum Step {
    TryAcquire,
    Join,
    Release(usize),
    Poll(usize),
    Leave(usize),
    SetLimit(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => Just(Step::TryAcquire),
        3 => Just(Step::Join),
        3 => any::<usize>().prop_map(Step::Release),
        3 => any::<usize>().prop_map(Step::Poll),
        2 => any::<usize>().prop_map(Step::Leave),
        1 => (1..5_usize).prop_map(Step::SetLimit),
    ]
}

/// A bulkhead as two lists, in which numbers stand for the jobs.
#[derive(Default)]
struct Model {
    limit: usize,
    room: usize,
    running: Vec<usize>,
    queue: VecDeque<usize>,
}

impl Model {
    fn try_acquire(&mut self, who: usize) -> bool {
        let enters = self.queue.is_empty() && self.running.len() < self.limit;
        if enters {
            self.running.push(who);
        }
        enters
    }

    fn join(&mut self, who: usize) -> bool {
        if self.try_acquire(who) {
            return true;
        }
        let fits = self.queue.len() < self.room;
        if fits {
            self.queue.push_back(who);
        }
        fits
    }

    fn gone(&mut self, who: usize) {
        self.running.retain(|other| *other != who);
        self.queue.retain(|other| *other != who);
        self.serve();
    }

    fn serve(&mut self) {
        while self.running.len() < self.limit {
            let Some(first) = self.queue.pop_front() else {
                return;
            };
            self.running.push(first);
        }
    }
}

fn pick<T>(from: &mut Vec<T>, index: usize) -> Option<T> {
    (!from.is_empty()).then(|| from.remove(index % from.len()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn permits_and_turns_match_two_plain_lists(
        limit in 1..4_usize,
        room in 1..4_usize,
        steps in proptest::collection::vec(step(), 1..80),
    ) {
        let policy = BulkheadPolicy::with_queue(limit, room).unwrap();
        let mut model = Model { limit, room, ..Model::default() };
        let mut permits: Vec<(usize, Permit<'_>)> = vec![];
        let mut turns: Vec<(usize, Turn<'_>)> = vec![];
        for (who, step) in steps.into_iter().enumerate() {
            match step {
                Step::TryAcquire => {
                    let permit = policy.try_acquire();
                    prop_assert_eq!(permit.is_some(), model.try_acquire(who));
                    permits.extend(permit.map(|permit| (who, permit)));
                }
                Step::Join => {
                    let turn = policy.join();
                    prop_assert_eq!(turn.is_some(), model.join(who));
                    turns.extend(turn.map(|turn| (who, turn)));
                }
                Step::Release(index) => {
                    if let Some((who, permit)) = pick(&mut permits, index) {
                        drop(permit);
                        model.gone(who);
                    }
                }
                Step::Poll(index) => {
                    if let Some((who, mut turn)) = pick(&mut turns, index) {
                        let permit = turn.poll(Waker::noop());
                        prop_assert_eq!(permit.is_some(), model.running.contains(&who));
                        match permit {
                            Some(permit) => permits.push((who, permit)),
                            None => turns.push((who, turn)),
                        }
                    }
                }
                Step::Leave(index) => {
                    if let Some((who, turn)) = pick(&mut turns, index) {
                        drop(turn);
                        model.gone(who);
                    }
                }
                Step::SetLimit(limit) => {
                    policy.set_limit(limit).unwrap();
                    model.limit = limit;
                    model.serve();
                }
            }
            let usage = policy.usage();
            let seen = (usage.limit, usage.in_use, usage.waiting);
            prop_assert_eq!(seen, (model.limit, model.running.len(), model.queue.len()));
        }
        drop((permits, turns));
        let usage = policy.usage();
        prop_assert_eq!((usage.in_use, usage.waiting), (0, 0));
    }
}

#[derive(Clone, Debug)]
enum Event {
    Send,
    /// Finishes the running job with this index, in the order of their starts.
    Finish(usize),
    Drop(usize),
    Advance(u64),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => Just(Event::Send),
        3 => any::<usize>().prop_map(Event::Finish),
        1 => any::<usize>().prop_map(Event::Drop),
        3 => (1..40_u64).prop_map(Event::Advance),
    ]
}

const MAX_WAIT: u64 = 50;

/// The waiting jobs with their deadlines, and the end of each job.
#[derive(Default)]
struct Timed {
    now: u64,
    model: Model,
    until: Vec<u64>,
    log: Vec<String>,
}

impl Timed {
    fn send(&mut self, job: usize) {
        self.until.push(self.now + MAX_WAIT);
        let before = self.model.running.len();
        if !self.model.join(job) {
            self.log.push(format!("{job} refused"));
        } else if self.model.running.len() > before {
            self.log.push(format!("{job} begins"));
        }
    }

    fn ends(&mut self, job: usize) {
        let before = self.model.running.clone();
        self.model.gone(job);
        let begun = |job: &&usize| !before.contains(job);
        let begun: Vec<_> = self.model.running.iter().filter(begun).collect();
        self.log
            .extend(begun.into_iter().map(|job| format!("{job} begins")));
    }

    fn advance(&mut self, by: u64) {
        self.now += by;
        let late = |job: &usize| self.until[*job] <= self.now;
        let late: Vec<_> = self.model.queue.iter().copied().filter(late).collect();
        for job in late {
            self.model.gone(job);
            self.log.push(format!("{job} refused"));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn jobs_on_a_bus_start_and_are_refused_like_in_the_model(
        limit in 1..4_usize,
        room in 1..4_usize,
        events in proptest::collection::vec(event(), 1..60),
    ) {
        let (jobs, clock) = (Jobs::default(), FakeClock::new());
        let max_wait = Duration::from_millis(MAX_WAIT);
        let bus = CommandBus::builder()
            .clock(clock.clone())
            .layer(Bulkhead::new(limit).queue(room, max_wait))
            .register(jobs.clone())
            .build()
            .unwrap();
        let mut model = Timed {
            model: Model { limit, room, ..Model::default() },
            ..Timed::default()
        };
        let mut sent: Vec<(usize, Sent<'_>)> = vec![];
        for event in events {
            match event {
                Event::Send => {
                    let job = model.until.len();
                    sent.push((job, Sent::new(&bus, job as u32, Context::new())));
                    model.send(job);
                }
                Event::Finish(index) => {
                    let running = model.model.running.clone();
                    if let Some(job) = running.get(index % running.len().max(1)) {
                        jobs.finish(*job as u32);
                        model.ends(*job);
                    }
                }
                Event::Drop(index) => {
                    if let Some((job, dropped)) = pick(&mut sent, index) {
                        drop(dropped);
                        model.ends(job);
                    }
                }
                Event::Advance(by) => {
                    clock.advance(Duration::from_millis(by));
                    model.advance(by);
                }
            }
            let mut refused = vec![];
            // The second pass polls jobs that a later job of the first pass has let in.
            for _ in 0..2 {
                sent.retain_mut(|(job, sent)| match sent.poll() {
                    Some(Err(error)) => {
                        assert!(error.is_overloaded(), "{error}");
                        refused.push(format!("{job} refused"));
                        false
                    }
                    done => done.is_none(),
                });
            }
            let steps = jobs.steps.take();
            let begun = steps.split(' ').filter_map(|step| step.strip_suffix('>'));
            let mut seen: Vec<_> = begun.map(|job| format!("{job} begins")).collect();
            seen.extend(refused);
            prop_assert_eq!(seen, std::mem::take(&mut model.log));
        }
    }
}
