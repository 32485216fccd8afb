//! A query that says how long each of its attempts takes, and how it ends.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use arcbus::middleware::Hedge;
use arcbus::middleware::hedge::{HedgeCounts, HedgePolicy};
use arcbus::{Class, Context, FakeClock, Handler, Message, Outcome, Query, QueryBus, Stack};

use crate::acts::{Noted, Steps, block, poll_once};

pub(crate) const MS: Duration = Duration::from_millis(1);

/// The way in which an attempt ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum End {
    Reply,
    /// Fails with an error on which another attempt may do better.
    Fail,
    /// Fails with an error on which no other attempt can do better.
    Refuse,
    Panic,
}

/// The behaviour of the attempts: a number of milliseconds, and then an end.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    plans: Vec<(u32, End)>,
    /// True if the handlers move the clock themselves, by a millisecond at each poll.
    drives: bool,
}

pub(crate) fn ask<const N: usize>(plans: [(u32, End); N]) -> Ask {
    Ask {
        plans: plans.to_vec(),
        drives: false,
    }
}

impl Message for Ask {
    const NAME: &'static str = "ask";
    type Kind = Query;
    /// The number of the attempt that replied.
    type Reply = u32;
    type Error = String;

    fn classify(error: &String) -> Class {
        match error.starts_with("refused") {
            true => Class::Permanent,
            false => Class::Unclassified,
        }
    }
}

/// A handler that notes `2>` when the second attempt begins, and `<2` when its future is dropped.
#[derive(Clone)]
pub(crate) struct Replicas {
    pub(crate) clock: FakeClock,
    pub(crate) steps: Steps,
}

impl Replicas {
    async fn wait(&self, until: Instant, drives: bool) {
        poll_fn(|task| {
            if self.clock.now() >= until {
                return Poll::Ready(());
            }
            if drives {
                self.clock.advance(MS);
                task.waker().wake_by_ref();
            }
            Poll::Pending
        })
        .await;
    }
}

impl Handler<Ask> for Replicas {
    async fn handle(&self, msg: Ask, cx: &Context<'_>) -> Result<u32, String> {
        let attempt = cx.attempt();
        self.steps.note(format!("{attempt}>"));
        let _gone = Noted(self.steps.clone(), format!("<{attempt}"));
        let (ms, end) = msg.plans[attempt as usize - 1];
        self.wait(self.clock.now() + MS * ms, msg.drives).await;
        match end {
            End::Reply => Ok(attempt),
            End::Fail => Err(format!("failed {attempt}")),
            End::Refuse => Err(format!("refused {attempt}")),
            End::Panic => panic!("panicked {attempt}"),
        }
    }
}

/// A bus with replicas behind a hedge.
pub(crate) struct Hedged {
    pub(crate) bus: QueryBus,
    pub(crate) clock: FakeClock,
    pub(crate) steps: Steps,
    policy: std::sync::Arc<HedgePolicy>,
}

impl Hedged {
    pub(crate) fn new(hedge: Hedge) -> Self {
        Self::between(|clock| QueryBus::builder().clock(clock), hedge)
    }

    /// Builds a bus with these layers around the hedge.
    pub(crate) fn between<S: Stack<Ask>>(
        outside: impl FnOnce(FakeClock) -> arcbus::BusBuilder<Query, S>,
        hedge: Hedge,
    ) -> Self {
        let (clock, steps) = (FakeClock::new(), Steps::default());
        let handles = hedge.handles();
        let replicas = Replicas {
            clock: clock.clone(),
            steps: steps.clone(),
        };
        let bus = outside(clock.clone())
            .scope(|s| s.layer(hedge).register::<Ask, _>(replicas))
            .build()
            .expect("in range");
        let policy = handles.get("ask").expect("registered");
        Self {
            bus,
            clock,
            steps,
            policy,
        }
    }

    pub(crate) fn policy(&self) -> &HedgePolicy {
        &self.policy
    }

    /// Returns the numbers of hedges that started, that won, and that the budget prevented.
    pub(crate) fn counts(&self) -> (u64, u64, u64) {
        let HedgeCounts {
            fired,
            won,
            exhausted,
            ..
        } = self.policy.counts();
        (fired, won, exhausted)
    }

    pub(crate) fn send(&self, msg: Ask) -> Sent<'_> {
        self.send_with(msg, Context::new())
    }

    pub(crate) fn send_with<'a>(&'a self, msg: Ask, cx: Context<'a>) -> Sent<'a> {
        Sent {
            clock: self.clock.clone(),
            dispatch: Box::pin(self.bus.execute_with(msg, cx)),
        }
    }

    /// Returns the outcomes of both lanes, with handlers that move the clock themselves.
    pub(crate) fn lanes(&self, msg: &Ask) -> [Outcome<Ask>; 2] {
        self.lanes_with(msg, &Context::new())
    }

    pub(crate) fn lanes_with(&self, msg: &Ask, cx: &Context<'_>) -> [Outcome<Ask>; 2] {
        let msg = Ask {
            drives: true,
            ..msg.clone()
        };
        let blocking = self.bus.execute_blocking_with(msg.clone(), cx.clone());
        [blocking, block(self.bus.execute_with(msg, cx.clone()))]
    }
}

/// A dispatch that is polled by hand while the test moves the clock.
pub(crate) struct Sent<'a> {
    clock: FakeClock,
    dispatch: Pin<Box<dyn Future<Output = Outcome<Ask>> + 'a>>,
}

impl Sent<'_> {
    /// Polls once, and returns the outcome if the dispatch has ended.
    pub(crate) fn poll(&mut self) -> Option<Outcome<Ask>> {
        match poll_once(self.dispatch.as_mut()) {
            Poll::Ready(outcome) => Some(outcome),
            Poll::Pending => None,
        }
    }

    /// Moves the clock by `ms` milliseconds, and polls after each of them.
    pub(crate) fn pass(&mut self, ms: u32) -> Option<Outcome<Ask>> {
        (0..ms).find_map(|_| {
            self.clock.advance(MS);
            self.poll()
        })
    }

    /// Polls at once and after each millisecond until the end. Returns the number of milliseconds
    /// and the outcome.
    pub(crate) fn run(&mut self) -> (u32, Outcome<Ask>) {
        if let Some(outcome) = self.poll() {
            return (0, outcome);
        }
        let mut runs = (1..10_000).map(|ms| (ms, self.pass(1)));
        let done = runs.find_map(|(ms, outcome)| Some((ms, outcome?)));
        done.expect("it ends")
    }
}
