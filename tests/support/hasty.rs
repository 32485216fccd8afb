//! Callers with a limited patience, and a backend that takes a given time.
#![allow(dead_code, reason = "each test file uses a part of this module")]

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use arcbus::{
    BusBuilder, CancelToken, Class, Context, FakeClock, Handler, Message, Outcome, Query, QueryBus,
    Stack,
};

use crate::acts::{block, poll_once};

pub(crate) const MS: Duration = Duration::from_millis(1);
/// Longer than the patience of any caller.
pub(crate) const HANGS: u32 = 1_000_000;

/// A call that takes the backend `takes` milliseconds, and may cancel its own token after some of
/// them.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) takes: u32,
    pub(crate) fails: bool,
    cancels: Option<(u32, CancelToken)>,
}

pub(crate) fn call(takes: u32) -> Call {
    Call {
        takes,
        fails: false,
        cancels: None,
    }
}

impl Message for Call {
    const NAME: &'static str = "call";
    type Kind = Query;
    type Reply = u32;
    type Error = String;

    fn classify(_: &String) -> Class {
        Class::Transient
    }
}

#[derive(Clone)]
pub(crate) struct Backend {
    pub(crate) clock: FakeClock,
    /// Moves the clock by a millisecond at each pending poll. If false, the test moves the clock.
    pub(crate) moves: bool,
}

impl Backend {
    /// Waits until `end`, and cancels the token when its time has come.
    async fn until(&self, end: Instant, cancels: Option<(Instant, &CancelToken)>) {
        poll_fn(|task| {
            if self.clock.now() >= end {
                return Poll::Ready(());
            }
            if self.moves {
                self.clock.advance(MS);
                task.waker().wake_by_ref();
            }
            match cancels {
                Some((at, token)) if self.clock.now() >= at => token.cancel(),
                _ => {}
            }
            Poll::Pending
        })
        .await;
    }
}

impl Handler<Call> for Backend {
    async fn handle(&self, msg: Call, _cx: &Context<'_>) -> Result<u32, String> {
        let now = self.clock.now();
        let cancels = msg.cancels.as_ref();
        let cancels = cancels.map(|(after, token)| (now + MS * *after, token));
        self.until(now + MS * msg.takes, cancels).await;
        match msg.fails {
            true => Err("down".into()),
            false => Ok(msg.takes),
        }
    }
}

/// A bus with layers around a backend that moves the clock.
pub(crate) struct Rig {
    pub(crate) bus: QueryBus,
    pub(crate) clock: FakeClock,
}

/// Builds a bus with a backend that moves the clock, below the layers that `layers` adds.
pub(crate) fn rig<S: Stack<Call>>(
    layers: impl FnOnce(BusBuilder<Query>) -> BusBuilder<Query, S>,
) -> Rig {
    let clock = FakeClock::new();
    let backend = Backend {
        clock: clock.clone(),
        moves: true,
    };
    let bus = layers(QueryBus::builder().clock(clock.clone()))
        .register(backend)
        .build()
        .expect("in range");
    Rig { bus, clock }
}

/// The lane of the bus in which a message is dispatched.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Lane {
    Blocking,
    Awaiting,
}

pub(crate) const LANES: [Lane; 2] = [Lane::Blocking, Lane::Awaiting];

/// The way in which an impatient caller ends its call before the reply.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Way {
    Deadline,
    Token,
    Drop,
}

/// All lanes and ways of ending a call. A call on its caller's thread cannot be dropped.
pub(crate) const ENDS: [(Lane, Way); 5] = [
    (Lane::Blocking, Way::Deadline),
    (Lane::Blocking, Way::Token),
    (Lane::Awaiting, Way::Deadline),
    (Lane::Awaiting, Way::Token),
    (Lane::Awaiting, Way::Drop),
];

impl Rig {
    pub(crate) fn send(&self, lane: Lane, msg: Call, cx: Context<'_>) -> Outcome<Call> {
        send(&self.bus, lane, msg, cx)
    }

    pub(crate) fn patient(&self, lane: Lane, takes: u32) -> Outcome<Call> {
        self.send(lane, call(takes), Context::new())
    }

    /// Sends a call of a caller that waits for only `patience` milliseconds, which is too short.
    pub(crate) fn hasty(&self, (lane, way): (Lane, Way), patience: u32, takes: u32) {
        let outcome = match way {
            Way::Deadline => self.send(lane, call(takes), within(patience)),
            Way::Token => {
                let (msg, cx) = cancelled(patience, takes);
                self.send(lane, msg, cx)
            }
            Way::Drop => return self.drop_after(patience, takes),
        };
        let error = outcome.expect_err("too little time");
        assert!(error.is_indeterminate(), "{error}");
    }

    fn drop_after(&self, patience: u32, takes: u32) {
        let end = self.clock.now() + MS * patience;
        let mut dispatch = pin!(self.bus.execute(call(takes)));
        while self.clock.now() < end {
            assert!(poll_once(dispatch.as_mut()).is_pending());
        }
    }
}

pub(crate) fn send<M: Message<Kind = Query>>(
    bus: &QueryBus,
    lane: Lane,
    msg: M,
    cx: Context<'_>,
) -> Outcome<M> {
    match lane {
        Lane::Blocking => bus.execute_blocking_with(msg, cx),
        Lane::Awaiting => block(bus.execute_with(msg, cx)),
    }
}

/// Returns the context of a caller that waits for `ms` milliseconds.
pub(crate) fn within(ms: u32) -> Context<'static> {
    Context::new().timeout(MS * ms)
}

/// Returns the call and the context of a caller that cancels after `patience` milliseconds.
pub(crate) fn cancelled(patience: u32, takes: u32) -> (Call, Context<'static>) {
    let token = CancelToken::new();
    let msg = Call {
        cancels: Some((patience, token.clone())),
        ..call(takes)
    };
    (msg, Context::new().cancel_on(token))
}
