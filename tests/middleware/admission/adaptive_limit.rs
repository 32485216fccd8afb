//! [`AdaptiveLimit`]: learns from each outcome, refuses the least important messages first, and
//! loses no permit. The tests that it finds a capacity are in `adaptive_simulation`.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use acts::{each_lane, each_lane_with};
use arcbus::middleware::adaptive_limit::AdaptiveLimitPolicy;
use arcbus::middleware::{AdaptiveLimit, Bulkhead, Handles, Priority};
use arcbus::{
    CancelToken, Class, Command, CommandBus, Context, Error, FakeClock, Handler, Message, Outcome,
    Violations,
};

use crate::acts;
use crate::jobs::{Job, Jobs, Sent};

const SECOND: Duration = Duration::from_secs(1);
const MILLI: Duration = Duration::from_millis(1);

/// The behaviour of the backend when it handles a message.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Try {
    Answer,
    Invalid,
    Permanent,
    Transient,
    Unclassified,
    Panic,
    Wait,
}

impl Message for Try {
    const NAME: &'static str = "try";
    type Kind = Command;
    type Reply = ();
    type Error = String;

    fn validate(&self) -> Result<(), Violations> {
        let mut violations = Violations::new();
        if *self == Self::Invalid {
            violations.add("try", "valid", "must be valid");
        }
        violations.into_result()
    }

    fn classify(error: &String) -> Class {
        match error.as_str() {
            "Permanent" => Class::Permanent,
            "Transient" => Class::Transient,
            _ => Class::Unclassified,
        }
    }
}

/// A handler that takes ten milliseconds of a fake clock.
struct Tries(FakeClock);

impl Handler<Try> for Tries {
    async fn handle(&self, msg: Try, _cx: &Context<'_>) -> Result<(), String> {
        self.0.advance(10 * MILLI);
        match msg {
            Try::Answer | Try::Invalid => Ok(()),
            Try::Panic => panic!("on purpose"),
            Try::Wait => pending().await,
            error => Err(format!("{error:?}")),
        }
    }
}

/// Returns a limit that adapts after each outcome: one call in use is enough, and each window has
/// one sample.
fn eager() -> AdaptiveLimit {
    AdaptiveLimit::aimd(SECOND).initial(2).window(1)
}

struct Setup {
    bus: CommandBus,
    policy: Arc<AdaptiveLimitPolicy>,
    clock: FakeClock,
}

fn tries(limit: AdaptiveLimit) -> Setup {
    let (handles, clock) = (limit.handles(), FakeClock::new());
    let bus = CommandBus::builder()
        .clock(clock.clone())
        .layer(limit)
        .register(Tries(clock.clone()))
        .build()
        .expect("in range");
    let policy = handles.get("try").expect("registered");
    Setup { bus, policy, clock }
}

impl Setup {
    fn limit(&self) -> usize {
        self.policy.usage().limit
    }

    fn is_idle(&self) -> bool {
        self.policy.usage().in_flight == 0
    }
}

/// Returns the limit after one outcome in each lane, where the limit was two before.
fn limits_after(act: Try) -> [usize; 2] {
    let dispatch: [fn(&CommandBus, Try) -> Outcome<Try>; 2] = [
        |bus, act| bus.execute_blocking(act),
        |bus, act| acts::ready(bus.execute(act)).expect("it does not wait"),
    ];
    dispatch.map(|dispatch| {
        let setup = tries(eager());
        let _ = dispatch(&setup.bus, act);
        assert!(setup.is_idle());
        setup.limit()
    })
}

#[test]
fn an_answer_is_a_sample_and_an_overload_lowers_the_limit() {
    for (act, limit) in [
        (Try::Answer, 3),
        (Try::Permanent, 3),
        (Try::Transient, 1),
        (Try::Unclassified, 2),
        (Try::Panic, 2),
        (Try::Invalid, 2),
    ] {
        assert_eq!(limits_after(act), [limit, limit], "{act:?}");
    }
}

/// Returns the limit after a waiting dispatch was ended by `end`.
fn limit_after_waiting(cx: Context<'_>, end: impl FnOnce(&FakeClock)) -> usize {
    let setup = tries(eager());
    let mut sent = Box::pin(setup.bus.execute_with(Try::Wait, cx));
    assert!(acts::poll_once(sent.as_mut()).is_pending());
    assert!(!setup.is_idle());
    end(&setup.clock);
    let _ = acts::poll_once(sent.as_mut());
    drop(sent);
    assert!(setup.is_idle());
    setup.limit()
}

/// A call that its caller ends is always neutral, as the tests in `haste` show.
#[test]
fn a_dispatch_ended_by_its_caller_does_not_change_the_limit() {
    let limited = || Context::new().timeout(SECOND);
    let past_deadline = limit_after_waiting(limited(), |clock| clock.advance(SECOND));
    assert_eq!(past_deadline, 2);
    assert_eq!(limit_after_waiting(limited(), |_| ()), 2);
    let unlimited = limit_after_waiting(Context::new(), |clock| clock.advance(SECOND));
    assert_eq!(unlimited, 2);
    let token = CancelToken::new();
    let cancelled = limited().cancel_on(token.clone());
    assert_eq!(limit_after_waiting(cancelled, |_| token.cancel()), 2);
}

#[test]
fn a_dispatch_reads_the_clock_twice() {
    let setup = tries(AdaptiveLimit::vegas());
    let _ = each_lane(&setup.bus, Try::Answer);
    assert_eq!(setup.clock.reads(), 4);
    assert_eq!(setup.policy.latency(), None, "one window takes fifty");
    for _ in 0..24 {
        let _ = each_lane(&setup.bus, Try::Answer);
    }
    assert_eq!(setup.policy.latency(), Some(10 * MILLI));
    assert_eq!(setup.policy.baseline(), Some(10 * MILLI));
}

fn jobs(limit: AdaptiveLimit) -> (CommandBus, Arc<AdaptiveLimitPolicy>, Jobs) {
    let (handles, jobs) = (limit.handles(), Jobs::default());
    let bus = CommandBus::builder()
        .clock(FakeClock::new())
        .layer(limit)
        .register(jobs.clone())
        .build()
        .expect("in range");
    let policy = handles.get("job").expect("registered");
    (bus, policy, jobs)
}

/// Fills a limit with messages of one priority, and returns how many were admitted.
fn fits(limit: usize, priority: Option<Priority>) -> usize {
    let (bus, policy, _jobs) = jobs(AdaptiveLimit::vegas().initial(limit));
    let mut running = vec![];
    loop {
        let cx = match priority {
            Some(priority) => Context::new().with(priority),
            None => Context::new(),
        };
        let mut sent = Sent::new(&bus, 1, cx.clone());
        match sent.poll() {
            None => running.push(sent),
            Some(refused) => {
                let limit = running.len();
                let overloaded = || Err(Error::Overloaded { limit });
                assert_eq!(refused, overloaded());
                assert_eq!(
                    each_lane_with(&bus, Job(2), &cx),
                    [overloaded(), overloaded()]
                );
                assert_eq!(policy.usage().in_flight, limit);
                drop(running);
                assert_eq!(policy.usage().in_flight, 0);
                return limit;
            }
        }
    }
}

#[test]
fn each_priority_has_its_share_of_the_limit() {
    let priorities = [
        Some(Priority::Background),
        Some(Priority::Low),
        Some(Priority::Normal),
        None,
        Some(Priority::Critical),
    ];
    assert_eq!(
        priorities.map(|priority| fits(16, priority)),
        [8, 12, 14, 14, 16]
    );
    assert_eq!(
        priorities.map(|priority| fits(10, priority)),
        [5, 8, 9, 9, 10]
    );
    assert_eq!(priorities.map(|priority| fits(1, priority)), [1; 5]);
}

#[test]
fn the_least_important_are_refused_first() {
    let (bus, _, _jobs) = jobs(AdaptiveLimit::vegas().initial(16));
    let with = |priority| Context::new().with(priority);
    let enters = |priority| Sent::new(&bus, 1, with(priority)).poll().is_none();
    let mut running = vec![];
    let mut seen = vec![];
    for in_flight in 0..16 {
        let order = [
            Priority::Background,
            Priority::Low,
            Priority::Normal,
            Priority::Critical,
        ];
        seen.push((
            in_flight,
            order.map(enters).iter().filter(|enters| **enters).count(),
        ));
        running.push(Sent::pending(&bus, 1, with(Priority::Critical)));
    }
    let expected = (0..16).map(|in_flight| match in_flight {
        0..8 => (in_flight, 4),
        8..12 => (in_flight, 3),
        12..14 => (in_flight, 2),
        _ => (in_flight, 1),
    });
    assert!(seen.into_iter().eq(expected));
    assert!(!enters(Priority::Critical));
}

#[test]
fn overloads_of_concurrent_calls_lower_the_limit_once() {
    let policy = AdaptiveLimit::aimd(SECOND)
        .initial(100)
        .policy()
        .expect("in range");
    let enter = |at| {
        let entered = (0..10).map(|_| policy.try_acquire(Priority::Critical, at));
        entered.collect::<Option<Vec<_>>>().expect("room")
    };
    let (early, late) = (enter(SECOND), enter(2 * SECOND));
    let mut limits = vec![];
    for (permits, at) in [
        (early, 3 * SECOND),
        (late, 4 * SECOND),
        (enter(5 * SECOND), 6 * SECOND),
    ] {
        permits.into_iter().for_each(|permit| permit.overloaded(at));
        limits.push(policy.usage().limit);
    }
    assert_eq!(limits, [90, 90, 81]);
}

#[test]
fn a_wait_in_an_outer_layer_is_not_backend_latency() {
    let limit = eager();
    let (handles, jobs, clock) = (limit.handles(), Jobs::default(), FakeClock::new());
    let bus = CommandBus::builder()
        .clock(clock.clone())
        .layer(Bulkhead::new(1).queue(1, 60 * SECOND))
        .layer(limit)
        .register(jobs.clone())
        .build()
        .expect("in range");
    let mut first = Sent::pending(&bus, 1, Context::new());
    let mut second = Sent::pending(&bus, 2, Context::new());
    clock.advance(30 * SECOND);
    jobs.finish(1);
    assert_eq!(first.poll(), Some(Ok(1)));
    assert_eq!(second.poll(), None);
    clock.advance(3 * SECOND);
    jobs.finish(2);
    assert_eq!(second.poll(), Some(Ok(2)));
    let policy = handles.get("job").expect("registered");
    assert_eq!(policy.latency(), Some(3 * SECOND));
}

#[test]
fn the_range_is_changed_live() {
    let (bus, policy, _jobs) = jobs(AdaptiveLimit::vegas().initial(20));
    let running = [(); 5].map(|()| Sent::pending(&bus, 1, Context::new()));
    policy.set_range(1, 4).expect("a range");
    let usage = policy.usage();
    let seen = (usage.limit, usage.in_flight, usage.min, usage.max);
    assert_eq!(seen, (4, 5, 1, 4));
    assert!((usage.utilisation() - 1.25).abs() < 1e-9);
    assert!(
        Sent::new(&bus, 1, Context::new()).poll().is_some(),
        "refused"
    );
    drop(running);
    drop(Sent::pending(&bus, 1, Context::new()));
    policy.set_range(30, 40).expect("a range");
    assert_eq!(policy.usage().limit, 30);
    for (min, max) in [(0, 1), (2, 1), (1, 65_536)] {
        assert!(policy.set_range(min, max).is_err(), "{min} {max}");
    }
    assert_eq!((policy.usage().min, policy.usage().max), (30, 40));
}

#[test]
fn an_absent_limit_does_not_limit() {
    let setup = tries(eager());
    let bus = CommandBus::builder()
        .clock(setup.clock.clone())
        .layer(None::<AdaptiveLimit>)
        .register(Tries(setup.clock.clone()))
        .build()
        .expect("in range");
    assert_eq!(each_lane(&bus, Try::Answer), [Ok(()), Ok(())]);
    assert_eq!(setup.clock.reads(), 0);
}

#[test]
fn handles_show_every_route() {
    let limit = AdaptiveLimit::vegas();
    let handles: Handles<AdaptiveLimitPolicy> = limit.handles();
    let clock = FakeClock::new();
    let bus = CommandBus::builder()
        .layer(limit)
        .register(Tries(clock))
        .register(Jobs::default())
        .build()
        .expect("in range");
    let names: Vec<_> = handles.all().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["try", "job"]);
    drop(bus);
    assert!(handles.all().is_empty());
}

#[test]
fn settings_out_of_range_are_refused() {
    let slow = |slow| AdaptiveLimit::aimd(slow);
    let vegas = AdaptiveLimit::vegas;
    for (limit, field) in [
        (vegas().range(0, 10), "AdaptiveLimit.min"),
        (vegas().range(5, 4), "AdaptiveLimit.max"),
        (vegas().range(1, 65_536), "AdaptiveLimit.max"),
        (vegas().initial(0), "AdaptiveLimit.initial"),
        (vegas().initial(1001), "AdaptiveLimit.initial"),
        (vegas().window(0), "AdaptiveLimit.window"),
        (vegas().window(4097), "AdaptiveLimit.window"),
        (vegas().backoff(0.49), "AdaptiveLimit.backoff"),
        (vegas().backoff(1.0), "AdaptiveLimit.backoff"),
        (vegas().backoff(f64::NAN), "AdaptiveLimit.backoff"),
        (slow(Duration::ZERO), "AdaptiveLimit.slow"),
        (slow(35 * SECOND), "AdaptiveLimit.slow"),
        (slow(Duration::MAX), "AdaptiveLimit.slow"),
    ] {
        assert_eq!(limit.policy().expect_err(field).field(), field);
        let built = CommandBus::builder()
            .layer(limit)
            .register(Jobs::default())
            .build();
        assert!(built.expect_err(field).to_string().contains(field));
    }
    assert!(
        slow(30 * SECOND)
            .range(65_535, 65_535)
            .initial(65_535)
            .policy()
            .is_ok()
    );
}
