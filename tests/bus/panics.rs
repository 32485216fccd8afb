//! A handler's panic is an error of its dispatch only: the bus and the thread go on, and no memory
//! is lost.

use std::panic::panic_any;
use std::pin::pin;
use std::sync::Mutex;

use arcbus::{
    Context, Dispatch, Error, Handler, Message, Query, QueryBus, from_async_fn, static_bus,
};

use crate::acts::poll_once;
use crate::support::{drive, panic_of, turns, watched};

/// The payload with which the handler panics.
#[derive(Clone, Copy, Debug, PartialEq)]
enum How {
    Not,
    WithStr,
    WithString,
    WithNumber,
    WithABomb,
}

struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("the payload's drop");
    }
}

impl How {
    fn happen(self) {
        match self {
            Self::Not => {}
            Self::WithStr => panic!("a text"),
            Self::WithString => panic_any("text 2".to_owned()),
            Self::WithNumber => panic_any(3),
            Self::WithABomb => panic_any(Bomb),
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::Not => unreachable!(),
            Self::WithStr => "a text",
            Self::WithString => "text 2",
            Self::WithNumber | Self::WithABomb => "no message",
        }
    }
}

const ALL: [How; 4] = [
    How::WithStr,
    How::WithString,
    How::WithNumber,
    How::WithABomb,
];

/// The moment of the panic: while the handler makes its future, or after a number of turns.
#[derive(Clone, Copy, Debug)]
enum When {
    Making,
    After(u32),
}

const WHENS: [When; 4] = [When::Making, When::After(0), When::After(1), When::After(2)];

#[derive(Clone, Copy)]
struct Break(How, When);

impl Message for Break {
    const NAME: &'static str = "break";
    type Kind = Query;
    type Reply = usize;
    type Error = String;
}

/// Panics if the message says so, and otherwise replies with an address inside its future.
struct Breaker;

impl Handler<Break> for Breaker {
    fn handle(
        &self,
        Break(how, when): Break,
        _cx: &Context<'_>,
    ) -> impl Future<Output = Result<usize, String>> + Send {
        if let When::Making = when {
            how.happen();
        }
        async move {
            let mark = 0_u8;
            let place = || std::ptr::from_ref(&mark).addr();
            let first = place();
            if let When::After(count) = when {
                turns(count).await;
                how.happen();
            }
            assert_eq!(place(), first);
            Ok(first)
        }
    }
}

static_bus! {
    struct Fixed: Query {
        breaks: Break => Breaker,
    }
}

fn bus() -> QueryBus {
    QueryBus::builder()
        .register(Breaker)
        .build()
        .expect("one name")
}

/// Checks every panic at every moment in both lanes, after each of which the handle replies again.
fn breaks_and_goes_on(mut handle: impl Dispatch<Break>) {
    for how in ALL {
        for when in WHENS {
            let message = how.text().into();
            let expected = Err(Error::Panicked { message });
            let blocking = handle.execute_blocking(Break(how, when));
            assert_eq!(blocking, expected, "{how:?} {when:?}");
            let (awaiting, _) = drive(handle.execute(Break(how, when)));
            assert_eq!(awaiting, expected, "{how:?} {when:?}");
            let sound = Break(How::Not, When::After(0));
            assert!(handle.execute_blocking(sound).is_ok());
            assert!(drive(handle.execute(sound)).0.is_ok());
        }
    }
}

#[test]
fn any_panic_at_any_moment_is_an_error_and_the_handle_goes_on() {
    watched(|| {
        let bus = bus();
        breaks_and_goes_on(&bus);
        breaks_and_goes_on(bus.local());
        breaks_and_goes_on(bus.route::<Break>().expect("registered"));
        breaks_and_goes_on(Fixed::new(Breaker));
    });
}

#[test]
#[cfg_attr(arcbus_asan, ignore = "no memory is kept then")]
fn the_memory_of_a_panicked_future_is_reused() {
    let bus = bus();
    let address = || {
        drive(bus.execute(Break(How::Not, When::After(1))))
            .0
            .expect("sound")
    };
    let first = address();
    for how in ALL {
        for when in WHENS {
            let (outcome, _) = drive(bus.execute(Break(how, when)));
            assert!(outcome.unwrap_err().is_panicked());
            assert_eq!(address(), first, "after {how:?} {when:?}");
        }
    }
}

/// Asks for the number of earlier messages.
struct Count;

impl Message for Count {
    const NAME: &'static str = "count";
    type Kind = Query;
    type Reply = usize;
    type Error = String;
}

async fn count(_: Count, _cx: &Context<'_>) -> Result<usize, String> {
    static SEEN: Mutex<usize> = Mutex::new(0);
    let mut seen = SEEN.lock().map_err(|error| error.to_string())?;
    *seen += 1;
    Ok(*seen - 1)
}

#[test]
fn a_panic_leaves_waiting_dispatches_and_other_messages_alone() {
    let bus = QueryBus::builder()
        .register(Breaker)
        .register(from_async_fn(count))
        .build()
        .expect("two names");
    let waits = bus.execute(Break(How::Not, When::After(2)));
    let mut waits = pin!(waits);
    assert!(poll_once(waits.as_mut()).is_pending());
    for (before, how) in ALL.into_iter().enumerate() {
        let blocking = bus.execute_blocking(Break(how, When::After(0)));
        assert!(blocking.unwrap_err().is_panicked());
        let mut breaks = pin!(bus.execute(Break(how, When::After(1))));
        assert!(poll_once(breaks.as_mut()).is_pending());
        let (outcome, polls) = drive(breaks);
        assert!(outcome.unwrap_err().is_panicked());
        assert_eq!(polls, 1);
        assert_eq!(bus.execute_blocking(Count), Ok(before));
    }
    assert!(drive(waits).0.is_ok());
}

arcbus::middleware! {
    /// A middleware that panics after the inner service has replied.
    struct Fragile;

    async fn handle<M>(self, msg, cx, next) {
        let outcome = next.run(msg, cx).await;
        assert!(outcome.is_err(), "fragile");
        outcome
    }
}

#[test]
fn a_panic_of_a_middleware_after_a_wait_ends_the_dispatch() {
    let bus = QueryBus::builder()
        .wrap(Fragile)
        .register(Breaker)
        .build()
        .expect("one name");
    for waits in [0, 1, 2] {
        let sound = Break(How::Not, When::After(waits));
        let mut dispatch = Box::pin(bus.execute(sound));
        for _ in 0..waits {
            assert!(poll_once(dispatch.as_mut()).is_pending());
        }
        let mut poll = || panic_of(|| poll_once(dispatch.as_mut()).is_ready());
        assert_eq!(poll(), "fragile");
        let again = poll();
        assert!(again.ends_with("after completion") || again.ends_with("after panicking"));
    }
    let broken = bus.execute_blocking(Break(How::WithStr, When::After(1)));
    assert!(broken.unwrap_err().is_panicked());
}
