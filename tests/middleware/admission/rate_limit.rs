//! The rate limits, in their variants that refuse, that wait, and that have a limit for each key.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::task::{Context as Task, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use arcbus::middleware::rate_limit::{KeyedRateLimit, Rate, RateLimit, Wait};
use arcbus::{
    CancelToken, Command, CommandBus, Context, Error, FakeClock, Handler, LayerExt, Message, Phase,
    TimeLimit, from_fn,
};

use crate::acts::{Act, Actor, Steps, each_lane, poll_once};

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn limited<T>(retry_after: Duration) -> Result<T, Error<String>> {
    Err(Error::RateLimited { retry_after })
}

/// Builds a bus with the layer on a fake clock, and returns the steps of its handler, too.
fn bus<L>(layer: L) -> (CommandBus, FakeClock, Steps)
where
    L: arcbus::Layer<Act>,
{
    let (clock, actor) = (FakeClock::new(), Actor::default());
    let steps = actor.0.clone();
    let bus = CommandBus::builder()
        .clock(clock.clone())
        .layer(layer)
        .register(actor)
        .build()
        .expect("in range");
    (bus, clock, steps)
}

/// Returns a limit of one message in 10 ms, with a burst.
fn limit(burst: u32) -> RateLimit {
    RateLimit::new(1, ms(10)).burst(burst)
}

fn waiting(longest: u64) -> RateLimit<Wait> {
    limit(1).wait_at_most(ms(longest))
}

#[test]
fn a_message_over_the_rate_is_refused_in_both_lanes() {
    let (bus, clock, steps) = bus(limit(2));
    assert_eq!(each_lane(&bus, Act::Answer(1)), [Ok(1), Ok(1)]);
    let refused = || limited(ms(10));
    assert_eq!(each_lane(&bus, Act::Answer(2)), [refused(), refused()]);
    assert_eq!(steps.take(), "handle handle");
    clock.advance(ms(10));
    assert_eq!(each_lane(&bus, Act::Answer(3)), [Ok(3), refused()]);
    clock.advance(ms(9));
    assert_eq!(bus.execute_blocking(Act::Answer(4)), limited(ms(1)));
}

#[test]
fn every_message_takes_a_token_with_any_outcome() {
    let (bus, _clock, _) = bus(limit(4));
    assert!(bus.execute_blocking(Act::Fail).unwrap_err().is_handler());
    assert!(bus.execute_blocking(Act::Invalid).unwrap_err().is_invalid());
    let mut waits = Box::pin(bus.execute(Act::Wait));
    assert!(poll_once(waits.as_mut()).is_pending());
    drop(waits);
    assert_eq!(each_lane(&bus, Act::Answer(1)), [Ok(1), limited(ms(10))]);
}

#[test]
fn at_the_end_of_time_nothing_passes() {
    let (bus, clock, _) = bus(limit(1));
    clock.advance(Duration::MAX);
    for _ in 0..3 {
        assert!(
            bus.execute_blocking(Act::Answer(1))
                .unwrap_err()
                .is_rate_limited()
        );
    }
}

#[test]
fn a_dispatch_reads_the_clock_once() {
    let (bus, clock, _) = bus(limit(100));
    for layers in 1..=2 {
        assert_eq!(bus.execute_blocking(Act::Answer(1)), Ok(1));
        assert_eq!(clock.reads(), layers);
    }
    let (waits, clock, _) = self::bus(waiting(50).burst(2));
    assert_eq!(waits.execute_blocking(Act::Answer(1)), Ok(1));
    assert_eq!(clock.reads(), 1);
}

#[test]
fn settings_out_of_range_are_refused_at_registration() {
    let refused = |layer: RateLimit| {
        let built = CommandBus::builder()
            .layer(layer)
            .register(Actor::default())
            .build();
        built.unwrap_err().to_string()
    };
    assert!(refused(RateLimit::per_second(0)).contains("RateLimit.rate"));
    assert!(refused(RateLimit::new(1, Duration::MAX)).contains("RateLimit.rate"));
    assert!(refused(limit(0)).contains("RateLimit.burst"));
    let waits = CommandBus::builder()
        .layer(waiting(0))
        .register(Actor::default());
    let error = waits.build().unwrap_err().to_string();
    assert!(error.contains("RateLimit.wait_at_most"));
    let keyed = KeyedRateLimit::by_context(Rate::per_second(1), |_| 1).max_keys(0);
    let error = CommandBus::builder()
        .layer(keyed)
        .register(Actor::default())
        .build();
    assert!(
        error
            .unwrap_err()
            .to_string()
            .contains("KeyedRateLimit.max_keys")
    );
}

#[test]
fn a_handle_reads_the_state_and_changes_the_rate() {
    let layer = limit(3);
    let handles = layer.handles();
    let (bus, clock, _) = bus(layer);
    let policy = handles.get("act").expect("registered");
    let now = || clock.clock().since_origin();
    assert_eq!(bus.execute_blocking(Act::Answer(1)), Ok(1));
    assert_eq!(
        (policy.available(now()), policy.rate()),
        (2, Rate::every(ms(10)).burst(3))
    );
    policy
        .change(now(), Rate::per_second(1).burst(1))
        .expect("in range");
    clock.advance(ms(10));
    assert_eq!(bus.execute_blocking(Act::Answer(1)), Ok(1));
    assert_eq!(bus.execute_blocking(Act::Answer(1)), limited(ms(1000)));
    policy
        .change(now(), Rate::per_second(1000).burst(1))
        .expect("in range");
    assert_eq!(bus.execute_blocking(Act::Answer(1)), limited(ms(1)));
    clock.advance(ms(1));
    assert_eq!(bus.execute_blocking(Act::Answer(1)), Ok(1));
}

/// A second message, whose limit may depend on the name of its sender.
#[derive(Clone)]
struct Mail(&'static str);

impl Message for Mail {
    const NAME: &'static str = "mail";
    type Kind = Command;
    type Reply = u32;
    type Error = String;
}

fn sent(_: Mail, _: &Context<'_>) -> Result<u32, String> {
    Ok(0)
}

#[test]
fn shared_routes_have_a_common_limit_and_other_routes_their_own() {
    for shared in [true, false] {
        let builder = CommandBus::builder().clock(FakeClock::new());
        let built = if shared {
            let builder = builder.layer(limit(1).shared());
            builder
                .register(Actor::default())
                .register(from_fn(sent))
                .build()
        } else {
            let builder = builder.layer(limit(1));
            builder
                .register(Actor::default())
                .register(from_fn(sent))
                .build()
        };
        let bus = built.expect("in range");
        assert_eq!(bus.execute_blocking(Act::Answer(1)), Ok(1));
        let second = bus.execute_blocking(Mail("ann"));
        assert_eq!(second.is_err_and(|error| error.is_rate_limited()), shared);
    }
}

/// A waker that counts its wake-ups, without waking a task.
#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Wakes {
    fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

fn poll_with<T>(future: Pin<&mut impl Future<Output = T>>, wakes: &Arc<Wakes>) -> Poll<T> {
    future.poll(&mut Task::from_waker(&Waker::from(Arc::clone(wakes))))
}

#[test]
fn messages_wait_for_their_turn_in_order() {
    let (bus, clock, steps) = bus(waiting(30));
    assert_eq!(bus.execute_blocking(Act::Answer(0)), Ok(0));
    let wakes = [(); 3].map(|()| Arc::<Wakes>::default());
    let mut turns = [1, 2, 3].map(|nth| Box::pin(bus.execute(Act::Answer(nth))));
    for (turn, wakes) in turns.iter_mut().zip(&wakes) {
        assert!(poll_with(turn.as_mut(), wakes).is_pending());
    }
    assert_eq!(
        each_lane(&bus, Act::Answer(9)),
        [limited(ms(40)), limited(ms(40))]
    );
    assert_eq!(steps.take(), "handle");
    for nth in 0..3 {
        clock.advance(ms(10));
        let woken = wakes.each_ref().map(|wakes| wakes.count());
        assert_eq!(woken, [0, 1, 2].map(|other| usize::from(other <= nth)));
        for (other, turn) in turns.iter_mut().enumerate().skip(nth) {
            let polled = poll_with(turn.as_mut(), &wakes[other]);
            let served = u32::try_from(nth + 1).expect("small");
            let expected = match other == nth {
                true => Poll::Ready(Ok(served)),
                false => Poll::Pending,
            };
            assert_eq!(polled, expected);
        }
    }
    assert_eq!(steps.take(), "handle handle handle");
}

#[test]
fn a_thread_waits_for_its_turn() {
    let (bus, clock, _) = bus(waiting(10));
    assert_eq!(bus.execute_blocking(Act::Answer(0)), Ok(0));
    let (done, outcome) = mpsc::channel();
    thread::scope(|scope| {
        scope.spawn(|| done.send(bus.execute_blocking(Act::Answer(1))));
        loop {
            match outcome.recv_timeout(ms(1)) {
                Ok(outcome) => return assert_eq!(outcome, Ok(1)),
                // The clock moves until the thread has reserved its turn, and further.
                Err(_) => clock.advance(ms(1)),
            }
        }
    });
}

#[test]
fn a_message_that_would_be_late_is_refused_at_once() {
    let (bus, clock, _) = bus(waiting(1000));
    assert_eq!(bus.execute_blocking(Act::Answer(0)), Ok(0));
    for millis in [5, 10] {
        let cx = Context::new().timeout(ms(millis));
        assert_eq!(
            bus.execute_blocking_with(Act::Answer(1), cx),
            limited(ms(10))
        );
    }
    let cx = Context::new().timeout(ms(10) + Duration::from_nanos(1));
    let mut in_time = pin!(bus.execute_with(Act::Answer(2), cx));
    assert!(poll_once(in_time.as_mut()).is_pending());
    clock.advance(ms(10));
    assert_eq!(poll_once(in_time), Poll::Ready(Ok(2)));
}

#[test]
fn a_turn_woken_too_late_does_not_start() {
    let (bus, clock, steps) = bus(waiting(1000));
    assert_eq!(bus.execute_blocking(Act::Answer(0)), Ok(0));
    let cx = Context::new().timeout(ms(15));
    let mut late = Box::pin(bus.execute_with(Act::Answer(1), cx));
    assert!(poll_once(late.as_mut()).is_pending());
    clock.advance(ms(15));
    let elapsed = ms(15);
    let phase = Phase::NotStarted;
    assert_eq!(
        poll_once(late.as_mut()),
        Poll::Ready(Err(Error::Timeout {
            phase,
            elapsed,
            limit: TimeLimit::Caller
        }))
    );
    drop(late);
    assert_eq!(steps.take(), "handle");
    assert_eq!(
        bus.execute_blocking(Act::Answer(2)),
        Ok(2),
        "its token went back"
    );
}

#[test]
fn a_cancelled_turn_is_not_started_and_given_back() {
    let (bus, _clock, steps) = bus(waiting(10));
    assert_eq!(bus.execute_blocking(Act::Answer(0)), Ok(0));
    let token = CancelToken::new();
    let cx = Context::new().cancel_on(token.clone());
    let wakes = Arc::<Wakes>::default();
    let mut cancelled = Box::pin(bus.execute_with(Act::Answer(1), cx));
    assert!(poll_with(cancelled.as_mut(), &wakes).is_pending());
    token.cancel();
    assert_eq!(wakes.count(), 1);
    let phase = Phase::NotStarted;
    let polled = poll_with(cancelled.as_mut(), &wakes);
    assert_eq!(polled, Poll::Ready(Err(Error::Cancelled { phase })));
    assert_eq!(steps.take(), "handle");
    let mut next = pin!(bus.execute(Act::Answer(2)));
    assert!(
        poll_once(next.as_mut()).is_pending(),
        "the turn is free again"
    );
}

#[test]
fn a_dropped_turn_is_given_back_from_any_place_in_the_queue() {
    // Drops a dispatch that was polled, woken, or polled without effect.
    for polls in 0..3 {
        let layer = waiting(10);
        let handles = layer.handles();
        let (bus, clock, _) = bus(layer);
        assert_eq!(bus.execute_blocking(Act::Answer(0)), Ok(0));
        let wakes = Arc::<Wakes>::default();
        let mut dropped = Box::pin(bus.execute(Act::Answer(1)));
        for _ in 0..polls {
            assert!(poll_with(dropped.as_mut(), &wakes).is_pending());
            clock.advance(ms(1));
        }
        drop(dropped);
        let policy = handles.get("act").expect("registered");
        clock.advance(ms(10 - polls));
        assert_eq!(policy.available(clock.clock().since_origin()), 1);
        assert_eq!((wakes.count(), Arc::strong_count(&wakes)), (0, 1));
        assert_eq!(bus.execute_blocking(Act::Answer(2)), Ok(2));
    }
}

#[test]
fn a_turn_that_was_used_stays_used() {
    let (bus, clock, steps) = bus(waiting(10));
    assert_eq!(bus.execute_blocking(Act::Answer(0)), Ok(0));
    let mut waits = Box::pin(bus.execute(Act::Wait));
    assert!(poll_once(waits.as_mut()).is_pending());
    clock.advance(ms(10));
    assert!(poll_once(waits.as_mut()).is_pending());
    assert_eq!(steps.take(), "handle handle");
    drop(waits);
    let mut next = pin!(bus.execute(Act::Answer(2)));
    assert!(poll_once(next.as_mut()).is_pending());
}

/// Five waiters leave in this order. The remaining waiters pass in their order, one in 10 ms.
#[test]
fn waiters_move_up_when_other_waiters_leave() {
    for order in [
        vec![0],
        vec![2],
        vec![4],
        vec![1, 0],
        vec![3, 1],
        vec![0, 2, 3, 1],
    ] {
        let (bus, clock, steps) = bus(waiting(1000));
        assert_eq!(bus.execute_blocking(Act::Answer(0)), Ok(0));
        let wakes = Arc::<Wakes>::default();
        let begin = |nth| {
            let mut waits = Box::pin(bus.execute(Act::Answer(nth)));
            assert!(poll_with(waits.as_mut(), &wakes).is_pending());
            Some(waits)
        };
        let mut waiting = Vec::from_iter((0..5).map(begin));
        for left in &order {
            waiting[*left] = None;
        }
        waiting.push(begin(5));
        assert_eq!(steps.take(), "handle");
        let mut passed = Vec::new();
        for _ in 0..6 - order.len() {
            clock.advance(ms(10) - Duration::from_nanos(1));
            assert_eq!(pass(&mut waiting, &wakes), [0; 0], "too early");
            clock.advance(Duration::from_nanos(1));
            passed.extend(pass(&mut waiting, &wakes));
        }
        let stay = |nth: &u32| !order.contains(&(*nth as usize));
        assert_eq!(passed, Vec::from_iter((0..6).filter(stay)), "{order:?}");
    }
}

/// A waiter moves up while others are still in front. Its own alarm rings at the time of its
/// original turn.
#[test]
fn a_waiter_that_moves_up_to_the_front_is_woken() {
    let (bus, clock, _) = bus(waiting(1000));
    assert_eq!(bus.execute_blocking(Act::Answer(0)), Ok(0));
    let wakes = [0; 3].map(|_| Arc::<Wakes>::default());
    let begin = |nth: usize| {
        let mut waits = Box::pin(bus.execute(Act::Answer(nth as u32)));
        assert!(poll_with(waits.as_mut(), &wakes[nth]).is_pending());
        waits
    };
    let (mut first, left, mut last) = (begin(0), begin(1), begin(2));
    drop(left);
    clock.advance(ms(10));
    assert_eq!(poll_with(first.as_mut(), &wakes[0]), Poll::Ready(Ok(0)));
    let mut seen = 0;
    while wakes[2].count() != seen {
        seen = wakes[2].count();
        assert!(poll_with(last.as_mut(), &wakes[2]).is_pending());
    }
    clock.advance(ms(10));
    assert!(wakes[2].count() > seen, "nobody woke it at its turn");
    assert_eq!(poll_with(last.as_mut(), &wakes[2]), Poll::Ready(Ok(2)));
}

/// Returns the replies of the messages that pass now. Each message is polled whenever any of them
/// is woken.
fn pass(
    waiting: &mut [Option<Pin<Box<impl Future<Output = Result<u32, Error<String>>>>>>],
    wakes: &Arc<Wakes>,
) -> Vec<u32> {
    let mut passed = Vec::new();
    let mut seen = 0;
    while wakes.count() != seen {
        seen = wakes.count();
        for place in waiting.iter_mut() {
            let Some(waits) = place else { continue };
            if let Poll::Ready(outcome) = poll_with(waits.as_mut(), wakes) {
                passed.push(outcome.expect("it answers"));
                *place = None;
            }
        }
    }
    passed
}

#[test]
fn a_newcomer_does_not_wait_for_a_crowd_that_has_left() {
    let (bus, clock, _) = bus(waiting(1000));
    assert_eq!(bus.execute_blocking(Act::Answer(0)), Ok(0));
    let begin = |nth| {
        let mut waits = Box::pin(bus.execute(Act::Answer(nth)));
        assert!(poll_once(waits.as_mut()).is_pending());
        waits
    };
    let mut crowd = Vec::from_iter((0..100).map(begin));
    assert!(
        bus.execute_blocking(Act::Answer(1))
            .unwrap_err()
            .is_rate_limited()
    );
    let mut last = crowd.pop().expect("a hundred");
    drop(crowd);
    clock.advance(ms(10));
    assert_eq!(poll_once(last.as_mut()), Poll::Ready(Ok(99)));
    let mut next = begin(7);
    clock.advance(ms(10));
    assert_eq!(poll_once(next.as_mut()), Poll::Ready(Ok(7)));
}

/// The first waiter is neither polled nor dropped, as in a future that is forgotten.
#[test]
fn an_unpolled_waiter_holds_up_no_other_waiter() {
    let (bus, clock, _) = bus(waiting(1000));
    assert_eq!(bus.execute_blocking(Act::Answer(0)), Ok(0));
    let begin = |nth| {
        let mut waits = Box::pin(bus.execute(Act::Answer(nth)));
        assert!(poll_once(waits.as_mut()).is_pending());
        waits
    };
    let (_held, left, mut waits) = (begin(1), begin(2), begin(3));
    drop(left);
    clock.advance(ms(30));
    assert_eq!(poll_once(waits.as_mut()), Poll::Ready(Ok(3)));
}

/// A crowd of 20,000 leaves from the front, the back and the middle, where each departure must be
/// cheap.
#[test]
fn a_crowd_leaves_in_no_time() {
    let (bus, _clock, _) = bus(RateLimit::per_second(1000)
        .burst(1)
        .wait_at_most(ms(60_000)));
    let begin = |nth| {
        let mut waits = Box::pin(bus.execute(Act::Answer(nth)));
        let _ = poll_once(waits.as_mut());
        Some(waits)
    };
    let mut crowd = Vec::from_iter((0..20_000).map(begin));
    let start = std::time::Instant::now();
    for nth in 0..20_000 {
        crowd[nth * 7919 % 20_000] = None;
    }
    assert!(
        start.elapsed() < Duration::from_secs(5),
        "{:?}",
        start.elapsed()
    );
}

/// Replies with the bus's time at which the handler runs.
struct Late;

impl Handler<Mail> for Late {
    async fn handle(&self, _: Mail, cx: &Context<'_>) -> Result<u32, String> {
        Ok(u32::try_from(cx.remaining().expect("limited").as_millis()).expect("small"))
    }
}

#[test]
fn inner_layers_do_not_get_back_the_time_of_the_wait() {
    let clock = FakeClock::new();
    let bus = CommandBus::builder()
        .clock(clock.clone())
        .layer(waiting(100))
        // Without the inner wait, two tokens would be missing when the outer limit lets a message
        // in.
        .layer(limit(1))
        .register(Late)
        .build()
        .expect("in range");
    let cx = || Context::new().timeout(ms(50));
    assert_eq!(bus.execute_blocking_with(Mail("ann"), cx()), Ok(50));
    let mut second = pin!(bus.execute_with(Mail("ann"), cx()));
    assert!(poll_once(second.as_mut()).is_pending());
    clock.advance(ms(10));
    assert_eq!(poll_once(second), Poll::Ready(Ok(40)));
}

fn mail_bus<L: arcbus::Layer<Mail>>(layer: L) -> (CommandBus, FakeClock) {
    let clock = FakeClock::new();
    let builder = CommandBus::builder().clock(clock.clone()).layer(layer);
    (
        builder.register(from_fn(sent)).build().expect("in range"),
        clock,
    )
}

#[test]
fn each_key_has_its_own_limit_in_both_lanes() {
    let rate = Rate::every(ms(10)).burst(2);
    let twice = |bus: &CommandBus, from| each_lane(bus, Mail(from));
    let check = |bus: CommandBus, clock: FakeClock| {
        let refused = || limited(ms(10));
        assert_eq!(twice(&bus, "ann"), [Ok(0), Ok(0)]);
        assert_eq!(twice(&bus, "ann"), [refused(), refused()]);
        assert_eq!(twice(&bus, "bob"), [Ok(0), Ok(0)]);
        clock.advance(ms(10));
        assert_eq!(twice(&bus, "ann"), [Ok(0), refused()]);
    };
    let (bus, clock) = mail_bus(KeyedRateLimit::by(rate, |mail: &Mail, _| mail.0));
    check(bus, clock);
    let (bus, clock) = mail_bus(KeyedRateLimit::by_ref(rate, |mail: &Mail, _| mail.0));
    check(bus, clock);
}

#[test]
fn a_key_of_the_context_is_limited_across_shared_routes() {
    let layer =
        KeyedRateLimit::by_context(Rate::every(ms(10)).burst(1), |cx| cx.get::<&str>().copied());
    let handles = layer.handles();
    let bus = CommandBus::builder()
        .clock(FakeClock::new())
        .layer(layer.shared())
        .register(Actor::default())
        .register(from_fn(sent))
        .build()
        .expect("in range");
    let as_user = |user: &'static str| Context::new().with(user);
    assert_eq!(
        bus.execute_blocking_with(Act::Answer(1), as_user("ann")),
        Ok(1)
    );
    assert!(bus.execute_blocking_with(Mail(""), as_user("ann")).is_err());
    assert_eq!(bus.execute_blocking_with(Mail(""), as_user("bob")), Ok(0));
    assert_eq!(bus.execute_blocking(Mail("")), Ok(0), "without a key");
    assert!(bus.execute_blocking(Act::Answer(1)).is_err());
    assert_eq!(handles.all().len(), 1);
    assert_eq!(handles.all()[0].1.keys(), 3);
}

#[test]
fn new_keys_are_refused_while_all_are_active() {
    let rate = Rate::every(ms(10)).burst(1);
    let layer = KeyedRateLimit::by(rate, |mail: &Mail, _| mail.0).max_keys(1);
    let (bus, clock) = mail_bus(layer);
    assert_eq!(bus.execute_blocking(Mail("ann")), Ok(0));
    clock.advance(ms(5));
    let full = Err(Error::Overloaded { limit: 1 });
    assert_eq!(bus.execute_blocking(Mail("bob")), full);
    clock.advance(ms(5));
    assert_eq!(bus.execute_blocking(Mail("bob")), Ok(0));
    assert_eq!(
        bus.execute_blocking(Mail("ann")),
        Err(Error::Overloaded { limit: 1 })
    );
}
