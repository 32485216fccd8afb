//! [`Bulkhead`]: bounds the number of running messages, admits waiters in the order of arrival, and
//! loses no permit.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use acts::{Act, Actor, Steps, each_lane};
use arcbus::middleware::Bulkhead;
use arcbus::middleware::bulkhead::BulkheadPolicy;
use arcbus::{CancelToken, CommandBus, Context, Error, FakeClock, Layer, LayerExt, Phase, from_fn};

use crate::acts;
use crate::jobs::{Job, Jobs, Sent};

const SECOND: Duration = Duration::from_secs(1);

/// A bus whose jobs wait for the test, below a bulkhead.
struct Room {
    bus: CommandBus,
    policy: Arc<BulkheadPolicy>,
    jobs: Jobs,
    clock: FakeClock,
}

impl Room {
    fn new(limit: usize) -> Self {
        let bulkhead = Bulkhead::new(limit);
        let handles = bulkhead.handles();
        Self::with(bulkhead, |name| handles.get(name))
    }

    /// Builds a bulkhead in whose queue each job waits up to ten seconds.
    fn queued(limit: usize, len: usize) -> Self {
        let bulkhead = Bulkhead::new(limit).queue(len, 10 * SECOND);
        let handles = bulkhead.handles();
        Self::with(bulkhead, |name| handles.get(name))
    }

    fn with<L: Layer<Job>>(layer: L, handle: impl Fn(&str) -> Option<Arc<BulkheadPolicy>>) -> Self {
        let (jobs, clock) = (Jobs::default(), FakeClock::new());
        let bus = CommandBus::builder()
            .clock(clock.clone())
            .layer(layer)
            .register(jobs.clone())
            .build()
            .expect("in range");
        let policy = handle("job").expect("registered");
        Self {
            bus,
            policy,
            jobs,
            clock,
        }
    }

    fn send(&self, job: u32) -> Sent<'_> {
        Sent::pending(&self.bus, job, Context::new())
    }

    /// Returns the number of permits in use, and the number of waiters.
    fn usage(&self) -> (usize, usize) {
        let usage = self.policy.usage();
        (usage.in_use, usage.waiting)
    }

    /// Returns the limit in the error of a job that must not wait, in each lane.
    fn refused(&self) -> [Option<usize>; 2] {
        each_lane(&self.bus, Job(99)).map(|outcome| match outcome {
            Err(Error::Overloaded { limit }) => Some(limit),
            _ => None,
        })
    }
}

fn overloaded(limit: usize) -> Option<Result<u32, Error<String>>> {
    Some(Err(Error::Overloaded { limit }))
}

#[test]
fn a_full_bulkhead_refuses_in_both_lanes() {
    let room = Room::new(2);
    let (mut one, mut two) = (room.send(1), room.send(2));
    assert_eq!(room.refused(), [Some(2), Some(2)]);
    room.jobs.finish(1);
    assert_eq!(one.poll(), Some(Ok(1)));
    let mut three = room.send(3);
    assert_eq!(room.refused(), [Some(2), Some(2)]);
    room.jobs.finish(2);
    room.jobs.finish(3);
    assert_eq!((two.poll(), three.poll()), (Some(Ok(2)), Some(Ok(3))));
    assert_eq!(room.usage(), (0, 0));
    assert_eq!(room.jobs.steps.take(), "1> 2> <1 3> <2 <3");
}

#[test]
fn every_outcome_gives_its_permit_back() {
    let bulkhead = Bulkhead::new(1);
    let handles = bulkhead.handles();
    let bus = CommandBus::builder()
        .layer(bulkhead)
        .register(Actor::default())
        .build()
        .expect("in range");
    let policy = handles.get("act").expect("registered");
    for act in [Act::Answer(1), Act::Invalid, Act::Fail, Act::Panic] {
        let outcomes = each_lane(&bus, act);
        for error in outcomes.iter().filter_map(|outcome| outcome.as_ref().err()) {
            assert!(!error.is_overloaded(), "{act:?}");
        }
        assert_eq!(policy.usage().in_use, 0, "{act:?}");
    }
}

#[test]
fn a_free_permit_is_taken_without_reading_the_clock() {
    for room in [Room::new(1), Room::queued(1, 1)] {
        room.jobs.finish(1);
        let outcomes = each_lane(&room.bus, Job(1));
        assert_eq!(outcomes, [Ok(1), Ok(1)]);
        assert_eq!(room.clock.reads(), 0);
    }
}

#[test]
fn an_interrupted_dispatch_returns_its_permit_after_its_handler_is_dropped() {
    let room = Room::queued(1, 1);
    let token = CancelToken::new();
    let mut cancelled = Sent::pending(&room.bus, 1, Context::new().cancel_on(token.clone()));
    let behind = room.send(2);
    token.cancel();
    let phase = Phase::Indeterminate;
    assert_eq!(cancelled.poll(), Some(Err(Error::Cancelled { phase })));
    assert_eq!(room.jobs.steps.take(), "1> <1");
    assert_eq!((behind.wakes(), room.usage()), (1, (1, 0)));
    drop(behind);
    assert_eq!(room.usage(), (0, 0));

    let mut late = Sent::pending(&room.bus, 3, Context::new().timeout(SECOND));
    room.clock.advance(SECOND);
    let late = late.poll().and_then(Result::err).expect("late");
    assert!(late.is_timeout() && late.is_indeterminate(), "{late}");
    assert_eq!(room.usage(), (0, 0));
    drop(room.send(4));
    assert_eq!(room.usage(), (0, 0));
}

#[test]
fn waiters_enter_in_the_order_of_arrival() {
    let room = Room::queued(1, 3);
    let mut running = room.send(1);
    let mut waiting = [2, 3, 4].map(|job| room.send(job));
    assert_eq!(room.usage(), (1, 3));
    room.jobs.finish(1);
    assert_eq!(running.poll(), Some(Ok(1)));
    for turn in 0..3 {
        assert_eq!(room.usage(), (1, 2 - turn));
        assert_eq!(
            waiting.each_ref().map(Sent::wakes)[turn..]
                .iter()
                .sum::<usize>(),
            1
        );
        // Polls in the wrong order, so that later waiters find that their turn has not come.
        for index in (turn..3).rev() {
            assert_eq!(waiting[index].poll(), None);
        }
        let job = turn as u32 + 2;
        room.jobs.finish(job);
        assert_eq!(waiting[turn].poll(), Some(Ok(job)));
    }
    assert_eq!(room.jobs.steps.take(), "1> <1 2> <2 3> <3 4> <4");
}

#[test]
fn a_newcomer_does_not_pass_waiters() {
    let room = Room::queued(1, 1);
    let mut running = room.send(1);
    let mut waiting = room.send(2);
    room.jobs.finish(1);
    assert_eq!(running.poll(), Some(Ok(1)));
    let mut newcomer = room.send(3);
    assert_eq!(room.usage(), (1, 1), "the permit is the waiter's already");
    assert!(room.policy.try_acquire().is_none());
    room.jobs.finish(2);
    room.jobs.finish(3);
    assert_eq!(newcomer.poll(), None);
    assert_eq!(waiting.poll(), Some(Ok(2)));
    assert_eq!(newcomer.poll(), Some(Ok(3)));
}

#[test]
fn a_full_queue_refuses_a_newcomer() {
    let room = Room::queued(1, 2);
    let running = room.send(1);
    let waiting = [2, 3].map(|job| room.send(job));
    assert_eq!(room.refused(), [Some(1), Some(1)]);
    drop(waiting);
    assert_eq!(room.usage(), (1, 0));
    drop(running);
    assert_eq!(room.usage(), (0, 0));
}

#[test]
fn a_wait_ends_after_its_longest_time() {
    let room = Room::queued(1, 2);
    let running = room.send(1);
    let mut first = room.send(2);
    room.clock.advance(SECOND);
    let mut second = room.send(3);
    room.clock.advance(9 * SECOND - Duration::from_nanos(1));
    assert_eq!((first.wakes(), first.poll()), (0, None));
    room.clock.advance(Duration::from_nanos(1));
    assert_eq!((first.wakes(), second.wakes()), (1, 0));
    assert_eq!((first.poll(), second.poll()), (overloaded(1), None));
    assert_eq!(room.usage(), (1, 1), "the other still waits");
    room.clock.advance(SECOND);
    assert_eq!(second.poll(), overloaded(1));
    assert_eq!(room.usage(), (1, 0));
    drop(running);
    assert_eq!(room.jobs.steps.take(), "1> <1");
}

#[test]
fn a_wait_ends_with_the_deadline() {
    let room = Room::queued(1, 2);
    let _running = room.send(1);
    let mut hurried = Sent::pending(&room.bus, 2, Context::new().timeout(SECOND));
    room.clock.advance(SECOND);
    assert!(hurried.wakes() > 0);
    assert_eq!(hurried.poll(), overloaded(1), "and the handler did not run");
    assert_eq!(room.usage(), (1, 0));
}

#[test]
fn a_turn_is_taken_at_the_end_of_the_wait_but_not_after_the_deadline() {
    let room = Room::queued(1, 2);
    let running = room.send(1);
    let mut patient = room.send(2);
    let mut hurried = Sent::pending(&room.bus, 3, Context::new().timeout(10 * SECOND));
    room.clock.advance(10 * SECOND);
    drop(running);
    room.jobs.finish(2);
    room.jobs.finish(3);
    assert_eq!(patient.poll(), Some(Ok(2)));
    assert_eq!(room.usage(), (1, 0), "handed to the hurried one");
    assert_eq!(hurried.poll(), overloaded(1));
    assert_eq!(room.usage(), (0, 0));
    assert_eq!(room.jobs.steps.take(), "1> <1 2> <2");
}

#[test]
fn a_dropped_waiter_lets_later_waiters_move_up() {
    let room = Room::queued(1, 3);
    let mut running = room.send(1);
    let (queued, handed, mut last) = (room.send(2), room.send(3), room.send(4));
    drop(queued);
    assert_eq!(room.usage(), (1, 2));
    room.jobs.finish(1);
    assert_eq!(running.poll(), Some(Ok(1)));
    assert_eq!((handed.wakes(), last.wakes()), (1, 0));
    drop(handed);
    assert_eq!((last.wakes(), room.usage()), (1, (1, 0)));
    room.jobs.finish(4);
    assert_eq!(last.poll(), Some(Ok(4)));
    assert_eq!(room.usage(), (0, 0));
}

#[test]
fn a_dispatch_dropped_at_any_poll_lets_the_next_in() {
    // Drops a dispatch that is running, queued, given a permit, or running after its wait.
    for polls in 0..4 {
        let room = Room::queued(1, 3);
        let running = (polls > 0).then(|| room.send(1));
        let mut dropped = room.send(2);
        let mut behind = room.send(3);
        if polls > 1 {
            drop(running);
        }
        if polls > 2 {
            assert_eq!(dropped.poll(), None);
        }
        drop(dropped);
        if polls < 2 {
            room.jobs.finish(1);
        }
        room.jobs.finish(3);
        let waited = behind.poll();
        assert_eq!(waited.is_none(), polls == 1, "job 1 still runs: {polls}");
    }
}

#[test]
fn a_blocking_dispatch_waits_for_its_turn() {
    let room = Room::queued(1, 1);
    let mut running = room.send(1);
    room.jobs.finish(2);
    std::thread::scope(|scope| {
        let blocking = scope.spawn(|| room.bus.execute_blocking(Job(2)));
        while room.usage().1 == 0 {
            std::thread::yield_now();
        }
        room.jobs.finish(1);
        assert_eq!(running.poll(), Some(Ok(1)));
        assert_eq!(blocking.join().expect("no panic"), Ok(2));
    });
    assert_eq!(room.usage(), (0, 0));
}

#[test]
fn a_blocking_dispatch_gives_up_after_its_longest_wait() {
    let room = Room::queued(1, 1);
    let _running = room.send(1);
    std::thread::scope(|scope| {
        let blocking = scope.spawn(|| room.bus.execute_blocking(Job(2)));
        while room.usage().1 == 0 {
            std::thread::yield_now();
        }
        room.clock.advance(10 * SECOND);
        assert_eq!(Some(blocking.join().expect("no panic")), overloaded(1));
    });
    assert_eq!(room.usage(), (1, 0));
}

#[test]
fn a_higher_limit_admits_waiters() {
    let room = Room::queued(1, 3);
    let _running = room.send(1);
    let waiting = [2, 3, 4].map(|job| room.send(job));
    room.policy.set_limit(3).expect("in range");
    assert_eq!(waiting.each_ref().map(Sent::wakes), [1, 1, 0]);
    assert_eq!(room.usage(), (3, 1));
}

#[test]
fn a_lower_limit_lets_running_dispatches_finish() {
    let room = Room::new(3);
    let mut running = [1, 2, 3].map(|job| room.send(job));
    room.policy.set_limit(1).expect("in range");
    assert_eq!(room.usage(), (3, 0));
    assert!((room.policy.usage().utilisation() - 3.0).abs() < 1e-9);
    for (job, sent) in (1..).zip(&mut running) {
        assert_eq!(room.refused(), [Some(1), Some(1)]);
        room.jobs.finish(job);
        assert_eq!(sent.poll(), Some(Ok(job)));
    }
    drop(room.send(4));
}

#[test]
fn each_route_has_its_own_bulkhead_unless_shared() {
    let build = |shared: bool| {
        let (jobs, steps) = (Jobs::default(), Steps::default());
        let bulkhead = Bulkhead::new(1);
        let builder = CommandBus::builder();
        if shared {
            let builder = builder.layer(bulkhead.shared());
            builder.register(jobs).register(Actor(steps)).build()
        } else {
            let builder = builder.layer(bulkhead);
            builder.register(jobs).register(Actor(steps)).build()
        }
        .expect("in range")
    };
    for shared in [false, true] {
        let bus = build(shared);
        let _running = Sent::pending(&bus, 1, Context::new());
        let outcomes = each_lane(&bus, Act::Answer(1));
        assert_eq!(outcomes.iter().all(Result::is_err), shared, "{outcomes:?}");
    }
}

#[test]
fn an_absent_layer_limits_nothing() {
    let room = Room::new(1);
    let _first = room.send(1);
    let bus = CommandBus::builder()
        .layer(None::<Bulkhead>)
        .layer(Some(Bulkhead::new(2)))
        .layer(Some(Bulkhead::new(2).queue(1, SECOND)))
        .register(room.jobs.clone())
        .build()
        .expect("in range");
    let _two = [1, 2].map(|job| Sent::pending(&bus, job, Context::new()));
    assert_eq!(Sent::new(&bus, 3, Context::new()).poll(), overloaded(2));
}

#[test]
fn settings_out_of_range_are_refused() {
    let field = |built: Result<CommandBus, arcbus::RegistrationError>| {
        built.map(drop).expect_err("out of range").to_string()
    };
    for limit in [0, 1 << 24] {
        let builder = CommandBus::builder().layer(Bulkhead::new(limit));
        let error = field(builder.register(Jobs::default()).build());
        assert!(error.contains("`Bulkhead.limit`"), "{error}");
        assert!(Room::new(1).policy.set_limit(limit).is_err());
    }
    for (len, max_wait, name) in [
        (0, SECOND, "`Bulkhead.queue`"),
        (1 << 16, SECOND, "`Bulkhead.queue`"),
        (1, Duration::ZERO, "`Bulkhead.max_wait`"),
        (1, Duration::MAX, "`Bulkhead.max_wait`"),
    ] {
        let builder = CommandBus::builder().layer(Bulkhead::new(1).queue(len, max_wait));
        let error = field(builder.register(Jobs::default()).build());
        assert!(error.contains(name), "{error}");
    }
    let largest = Bulkhead::new((1 << 24) - 1).queue((1 << 16) - 1, SECOND);
    let builder = CommandBus::builder().layer(largest);
    assert!(builder.register(Jobs::default()).build().is_ok());
}

/// The number of jobs running now, and the largest number so far.
#[derive(Default)]
struct Crowd(AtomicUsize, AtomicUsize);

#[test]
fn threads_share_the_permits_and_all_get_their_turn() {
    const THREADS: u32 = 8;
    const EACH: u32 = 50;
    let crowd = Arc::new(Crowd::default());
    let inside = Arc::clone(&crowd);
    let bulkhead = Bulkhead::new(2).queue(THREADS as usize, 3600 * SECOND);
    let handles = bulkhead.handles();
    let bus = CommandBus::builder()
        .layer(bulkhead)
        .register(from_fn(move |msg: Job, _cx: &Context<'_>| {
            let now = inside.0.fetch_add(1, Ordering::Relaxed) + 1;
            inside.1.fetch_max(now, Ordering::Relaxed);
            std::thread::yield_now();
            inside.0.fetch_sub(1, Ordering::Relaxed);
            Ok(msg.0)
        }))
        .build()
        .expect("in range");
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let bus = &bus;
            scope.spawn(move || {
                for job in 0..EACH {
                    let outcome = match (thread + job) % 2 {
                        0 => bus.execute_blocking(Job(job)),
                        _ => acts::block(bus.execute(Job(job))),
                    };
                    assert_eq!(outcome, Ok(job));
                }
            });
        }
    });
    assert!(crowd.1.load(Ordering::Relaxed) <= 2);
    let usage = handles.get("job").expect("registered").usage();
    assert_eq!((usage.in_use, usage.waiting), (0, 0));
}
