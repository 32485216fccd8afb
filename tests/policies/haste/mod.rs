//! Callers in a hurry: whose limit ended a dispatch, and that a caller's haste is not held against the backend.

mod limits;

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use arcbus::{
    BusBuilder, Class, Context, FakeClock, Handler, Message, Outcome, Query, QueryBus, Stack,
};

use crate::acts::block;

const MS: Duration = Duration::from_millis(1);
/// Longer than anybody waits.
const HANGS: u32 = u32::MAX;

/// A call of the backend that takes so many milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Call {
    takes: u32,
    fails: bool,
}

fn call(takes: u32) -> Call {
    let fails = false;
    Call { takes, fails }
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

/// Lets the time of a fake clock pass, a millisecond a poll.
#[derive(Clone)]
struct Backend(FakeClock);

impl Backend {
    async fn millisecond(&self) {
        let mut passed = false;
        poll_fn(|task| {
            if std::mem::replace(&mut passed, true) {
                return Poll::Ready(());
            }
            self.0.advance(MS);
            task.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }
}

impl Handler<Call> for Backend {
    async fn handle(&self, msg: Call, _cx: &Context<'_>) -> Result<u32, String> {
        for _ in 0..msg.takes {
            self.millisecond().await;
        }
        match msg.fails {
            true => Err("down".into()),
            false => Ok(msg.takes),
        }
    }
}

/// A bus with layers around the backend.
struct Rig {
    bus: QueryBus,
    clock: FakeClock,
}

/// `layers` puts them on.
fn rig<S: Stack<Call>>(layers: impl FnOnce(BusBuilder<Query>) -> BusBuilder<Query, S>) -> Rig {
    let clock = FakeClock::new();
    let bus = layers(QueryBus::builder().clock(clock.clone()))
        .register(Backend(clock.clone()))
        .build()
        .expect("in range");
    Rig { bus, clock }
}

/// A lane in which a message is dispatched.
#[derive(Clone, Copy, Debug)]
enum Lane {
    Blocking,
    Awaiting,
}

const LANES: [Lane; 2] = [Lane::Blocking, Lane::Awaiting];

impl Rig {
    fn send(&self, lane: Lane, msg: Call, cx: Context<'_>) -> Outcome<Call> {
        send(&self.bus, lane, msg, cx)
    }
}

fn send<M: Message<Kind = Query>>(
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

/// The context of a caller that waits so many milliseconds.
fn within(ms: u32) -> Context<'static> {
    Context::new().timeout(MS * ms)
}
