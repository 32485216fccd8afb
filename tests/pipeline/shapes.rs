//! Middleware of the shapes that a user writes: a queue, a recovery and an answer, in both lanes.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::thread;
use std::time::Duration;

use acts::{Act, Actor, Noted, Steps, each_lane, poll_once};
use arcbus::middleware::Bulkhead;
use arcbus::{
    Answer, Answered, CancelToken, CommandBus, Context, Enqueue, Enqueued, Error, FakeClock, Hold,
    Look, Message, Next, Outcome, Phase, Recover, Recovered, TimeLimit,
};

use crate::acts;

const SECOND: Duration = Duration::from_secs(1);

/// Admits messages while open. Notes `wait` when a message waits, and `-pass` when a message has left.
#[derive(Clone, Default)]
struct Door {
    open: Arc<AtomicBool>,
    steps: Steps,
}

impl Door {
    fn pass(&self) -> Option<Noted> {
        let open = self.open.load(Ordering::SeqCst);
        open.then(|| Noted(self.steps.clone(), "-pass".into()))
    }
}

impl<M: Message> Enqueue<M> for Door {
    type Pass<'a> = Noted;
    type Ticket = &'static str;

    fn try_enter(&self, _msg: &M, _cx: &Context<'_>) -> Result<Noted, &'static str> {
        self.pass().ok_or("wait")
    }

    async fn wait(
        &self,
        ticket: &'static str,
        _cx: &Context<'_>,
    ) -> Result<Noted, Error<M::Error>> {
        self.steps.note(ticket);
        let pass = poll_fn(|_| match self.pass() {
            Some(pass) => Poll::Ready(pass),
            None => Poll::Pending,
        });
        Ok(pass.await)
    }
}

fn behind(door: &Door, clock: &FakeClock) -> CommandBus {
    CommandBus::builder()
        .clock(clock.clone())
        .wrap(Enqueued(door.clone()))
        .register(Actor(door.steps.clone()))
        .build()
        .expect("one name")
}

#[test]
fn a_message_that_waits_enters_at_its_turn_and_gives_its_pass_back() {
    let door = Door::default();
    let bus = behind(&door, &FakeClock::new());
    let mut dispatch = Box::pin(bus.execute(Act::Answer(1)));
    assert!(poll_once(dispatch.as_mut()).is_pending());
    door.open.store(true, Ordering::SeqCst);
    assert_eq!(poll_once(dispatch.as_mut()), Poll::Ready(Ok(1)));
    assert_eq!(door.steps.take(), "wait handle -pass");
    assert_eq!(each_lane(&bus, Act::Answer(2)), [Ok(2), Ok(2)]);
    assert_eq!(door.steps.take(), "handle -pass handle -pass");
}

#[test]
fn a_message_that_is_cancelled_in_a_queue_has_not_started() {
    let door = Door::default();
    let bus = behind(&door, &FakeClock::new());
    let not_started = || {
        Err(Error::Cancelled {
            phase: Phase::NotStarted,
        })
    };
    let token = CancelToken::new();
    let cx = || Context::new().cancel_on(token.clone());
    let mut dispatch = Box::pin(bus.execute_with(Act::Answer(1), cx()));
    assert!(poll_once(dispatch.as_mut()).is_pending());
    token.cancel();
    assert_eq!(poll_once(dispatch.as_mut()), Poll::Ready(not_started()));
    assert_eq!(door.steps.take(), "wait");

    let token = CancelToken::new();
    let cx = Context::new().cancel_on(token.clone());
    thread::scope(|threads| {
        threads.spawn(|| {
            while !door.steps.contain("wait") {
                thread::yield_now();
            }
            token.cancel();
        });
        assert_eq!(bus.execute_blocking_with(Act::Answer(1), cx), not_started());
    });
    assert_eq!(door.steps.take(), "wait");
}

#[test]
fn a_message_whose_time_is_over_at_its_turn_is_not_begun() {
    let (door, clock) = (Door::default(), FakeClock::new());
    let bus = behind(&door, &clock);
    let cx = Context::new().timeout(SECOND);
    let mut dispatch = Box::pin(bus.execute_with(Act::Answer(1), cx));
    assert!(poll_once(dispatch.as_mut()).is_pending());
    clock.advance(2 * SECOND);
    door.open.store(true, Ordering::SeqCst);
    let Poll::Ready(Err(Error::Timeout { phase, limit, .. })) = poll_once(dispatch.as_mut()) else {
        panic!("its time is over");
    };
    assert_eq!((phase, limit), (Phase::NotStarted, TimeLimit::Caller));
    assert_eq!(door.steps.take(), "wait -pass");
}

#[test]
fn a_message_that_is_cancelled_in_a_bulkhead_has_not_started() {
    let bus = CommandBus::builder()
        .layer(Bulkhead::new(1).queue(1, SECOND))
        .register(Actor::default())
        .build()
        .expect("one name");
    let mut first = Box::pin(bus.execute(Act::Wait));
    assert!(poll_once(first.as_mut()).is_pending());
    let token = CancelToken::new();
    let cx = Context::new().cancel_on(token.clone());
    let mut second = Box::pin(bus.execute_with(Act::Answer(1), cx));
    assert!(poll_once(second.as_mut()).is_pending());
    token.cancel();
    let phase = Phase::NotStarted;
    assert_eq!(
        poll_once(second.as_mut()),
        Poll::Ready(Err(Error::Cancelled { phase }))
    );
}

/// Runs a message again after an error of its handler, and notes `plan` and `again`.
struct Again(Steps);

impl<M: Message + Clone> Recover<M> for Again {
    type Kept = M;
    type Plan<'a> = &'a Steps;

    fn keep(&self, msg: &M) -> M {
        msg.clone()
    }

    fn plan<'a>(&'a self, error: &Error<M::Error>, _cx: &Context<'_>) -> Option<&'a Steps> {
        self.0.note("plan");
        error.is_handler().then_some(&self.0)
    }

    async fn recover<'a>(
        &'a self,
        plan: &'a Steps,
        msg: M,
        _error: Error<M::Error>,
        cx: &Context<'_>,
        next: &impl Next<M>,
    ) -> Outcome<M> {
        plan.note("again");
        next.run(msg, cx).await
    }
}

fn recovers<H: Hold>(recovered: impl Fn(Steps) -> Recovered<Again, H>) {
    let steps = Steps::default();
    let bus = CommandBus::builder()
        .wrap(recovered(steps.clone()))
        .register(Actor(steps.clone()))
        .build()
        .expect("one name");
    let steps_of = |act| {
        let [blocking, awaited] = each_lane(&bus, act);
        assert_eq!(blocking, awaited);
        steps.take()
    };
    assert_eq!(steps_of(Act::Answer(1)), "handle handle");
    let once = "handle plan again handle";
    assert_eq!(steps_of(Act::Fail), format!("{once} {once}"));
    assert_eq!(steps_of(Act::Panic), "handle plan handle plan");
}

#[test]
fn a_recovery_runs_after_an_error_for_which_a_plan_exists() {
    recovers(|steps| Recovered::new(Again(steps)));
    recovers(|steps| Recovered::boxed(Again(steps)));
}

/// Replies to even numbers itself, lets 1 pass and takes over for the others.
struct Even(Steps);

impl Answer<Act> for Even {
    type Found = u32;
    type Ticket = u32;

    fn look(&self, msg: &Act, _cx: &Context<'_>) -> Look<u32, u32> {
        match msg {
            Act::Answer(even) if even % 2 == 0 => Look::Found(*even),
            Act::Answer(odd) if *odd > 1 => Look::Missed(*odd),
            _ => Look::Pass,
        }
    }

    fn give(even: u32) -> Outcome<Act> {
        Ok(even * 10)
    }

    async fn answer(
        &self,
        odd: u32,
        msg: Act,
        cx: &Context<'_>,
        next: &impl Next<Act>,
    ) -> Outcome<Act> {
        self.0.note(format!("missed-{odd}"));
        next.run(msg, cx).await.map(|reply| reply + 100)
    }
}

#[test]
fn an_answer_replies_lets_pass_or_takes_over() {
    let steps = Steps::default();
    let bus = CommandBus::builder()
        .scope(|s| {
            s.wrap(Answered(Even(steps.clone())))
                .register(Actor(steps.clone()))
        })
        .build()
        .expect("one name");
    assert_eq!(each_lane(&bus, Act::Answer(2)), [Ok(20), Ok(20)]);
    assert_eq!(steps.take(), "");
    assert_eq!(each_lane(&bus, Act::Answer(1)), [Ok(1), Ok(1)]);
    assert_eq!(steps.take(), "handle handle");
    assert_eq!(each_lane(&bus, Act::Answer(3)), [Ok(103), Ok(103)]);
    assert_eq!(steps.take(), "missed-3 handle missed-3 handle");
}
