//! A nested dispatch keeps deadline, cancellation, trace and values, through any handle and lane.

use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use arcbus::{
    CancelToken, Command, CommandBus, Context, Dispatch, Error, FakeClock, Handler, Message, Phase,
    Query, QueryBus, TimeLimit, TraceParent, from_async_fn, from_fn, static_bus,
};

use crate::acts::{Act, Steps, poll_once, ready};

const SECOND: Duration = Duration::from_secs(1);

/// Asks for the parts of the context that the handler sees.
struct Look;

#[derive(Debug, PartialEq)]
struct Seen {
    remaining: Option<Duration>,
    trace: Option<TraceParent>,
    value: Option<&'static str>,
    attempt: u32,
}

impl Message for Look {
    const NAME: &'static str = "look";
    type Kind = Query;
    type Reply = Seen;
    type Error = String;
}

struct Looker;

impl Handler<Look> for Looker {
    async fn handle(&self, _msg: Look, cx: &Context<'_>) -> Result<Seen, String> {
        Ok(Seen {
            remaining: cx.remaining(),
            trace: cx.trace().copied(),
            value: cx.get().copied(),
            attempt: cx.attempt(),
        })
    }
}

static_bus! {
    struct Looks: Query {
        look: Look => Looker,
    }
}

/// Runs `nested` inside a dispatch with a full context, two seconds after its start.
fn inside<T: Send + 'static>(
    nested: impl Fn(&Context<'_>) -> T + Send + Sync + 'static,
) -> (T, Expected) {
    let (clock, (sender, receiver)) = (FakeClock::new(), channel());
    let time = clock.clone();
    let bus = CommandBus::builder()
        .clock(clock.clone())
        .register(from_fn(move |_: Act, cx: &Context<'_>| {
            time.advance(SECOND * 2);
            sender.send(nested(cx)).map_err(|error| error.to_string())?;
            Ok(0)
        }))
        .build()
        .expect("one name");
    let trace = TraceParent::new([1; 16], [2; 8], 1).expect("no zeros");
    let cx = Context::new()
        .timeout(SECOND * 10)
        .cancel_on(CancelToken::new())
        .trace_parent(trace)
        .with("a value");
    assert_eq!(bus.execute_blocking_with(Act::Fail, cx), Ok(0));
    (receiver.recv().expect("sent"), Expected(trace))
}

struct Expected(TraceParent);

impl Expected {
    fn seen(self) -> Seen {
        Seen {
            remaining: Some(SECOND * 8),
            trace: Some(self.0),
            value: Some("a value"),
            attempt: 1,
        }
    }
}

/// Builds a bus with its own clock, which is 1000 seconds ahead.
fn looks() -> QueryBus {
    QueryBus::builder()
        .clock(ahead())
        .register(Looker)
        .build()
        .expect("one name")
}

fn ahead() -> FakeClock {
    let clock = FakeClock::new();
    clock.advance(SECOND * 1000);
    clock
}

fn static_looks() -> Looks {
    Looks::new(Looker).clock(ahead())
}

/// Returns the contexts that a nested dispatch through `handle` sees, in both lanes.
fn look(mut handle: impl Dispatch<Look>, cx: &Context<'_>) -> [Seen; 2] {
    [
        ready(handle.execute_in(cx, Look)).expect("it does not wait"),
        handle.execute_blocking_in(cx, Look),
    ]
    .map(|outcome| outcome.expect("it looks"))
}

#[test]
fn every_handle_keeps_the_context() {
    let bus = looks();
    let (seen, expected) = inside(move |cx| {
        let route = bus.route::<Look>().expect("registered");
        [
            look(&bus, cx),
            look(bus.clone(), cx),
            look(bus.local(), cx),
            look(route, cx),
            look(static_looks(), cx),
            look(&static_looks(), cx),
        ]
    });
    let expected = expected.seen();
    for one in seen.as_flattened() {
        assert_eq!(*one, expected);
    }
}

#[test]
fn the_methods_of_a_bus_keep_the_context() {
    let bus = looks();
    let (seen, expected) = inside(move |cx| {
        [
            ready(bus.execute_in(cx, Look)).expect("it does not wait"),
            bus.execute_blocking_in(cx, Look),
        ]
    });
    let expected = expected.seen();
    for one in seen {
        assert_eq!(one.as_ref(), Ok(&expected));
    }
}

#[test]
fn a_dispatch_without_the_context_keeps_nothing() {
    let bus = looks();
    let (seen, _) = inside(move |_| bus.execute_blocking(Look).expect("it looks"));
    let nothing = Seen {
        remaining: None,
        trace: None,
        value: None,
        attempt: 1,
    };
    assert_eq!(seen, nothing);
}

/// Returns the remaining time of a nested dispatch whose context was `changed`.
fn left(changed: impl for<'a> Fn(Context<'a>) -> Context<'a> + Send + Sync + 'static) -> Duration {
    let bus = looks();
    let (seen, _) = inside(move |cx| {
        let blocking = bus.execute_blocking_with(Look, changed(cx.derive()));
        let awaited = ready(bus.execute_with(Look, changed(cx.derive()))).expect("no wait");
        [blocking, awaited].map(|outcome| outcome.expect("it looks").remaining)
    });
    assert_eq!(seen[0], seen[1]);
    seen[0].expect("it has a limit")
}

#[test]
fn a_derived_limit_shortens_and_never_lengthens() {
    assert_eq!(left(|cx| cx), SECOND * 8);
    assert_eq!(left(|cx| cx.timeout(SECOND * 3)), SECOND * 3);
    assert_eq!(left(|cx| cx.timeout(SECOND * 60)), SECOND * 8);
    assert_eq!(left(|cx| cx.timeout(Duration::MAX)), SECOND * 8);
    let sooner = |cx: Context<'_>| cx.expires_at().expect("a limit") - SECOND * 7;
    assert_eq!(
        left(move |cx| {
            let at = sooner(cx.derive());
            cx.deadline(at)
        }),
        SECOND
    );
    let later = |cx: Context<'_>| cx.expires_at().expect("a limit") + SECOND * 7;
    assert_eq!(
        left(move |cx| {
            let at = later(cx.derive());
            cx.deadline(at)
        }),
        SECOND * 8
    );
}

/// A message whose handler waits for ever.
struct Hang;

impl Message for Hang {
    const NAME: &'static str = "hang";
    type Kind = Query;
    type Reply = ();
    type Error = String;
}

/// A command whose handler awaits a [`Hang`] and sends its outcome to the test.
struct Relay {
    queries: QueryBus,
    ended: Sender<Error<String>>,
}

impl Handler<Act> for Relay {
    async fn handle(&self, _msg: Act, cx: &Context<'_>) -> Result<u32, String> {
        let hung = self.queries.execute_in(cx, Hang).await;
        let ended = hung.expect_err("it waits for ever");
        self.ended.send(ended).map_err(|error| error.to_string())?;
        Ok(1)
    }
}

#[test]
fn a_nested_wait_ends_with_the_outer_deadline_or_token() {
    let (clock, token, (ended, endings)) = (FakeClock::new(), CancelToken::new(), channel());
    let queries = QueryBus::builder()
        .clock(clock.clone())
        .register(from_async_fn(async |_: Hang, _: &Context<'_>| {
            std::future::pending().await
        }))
        .build()
        .expect("one name");
    let bus = CommandBus::builder()
        .clock(clock.clone())
        .register(Relay { queries, ended })
        .build()
        .expect("one name");
    let begin = |cx| {
        let mut dispatch = Box::pin(bus.execute_with(Act::Fail, cx));
        assert!(poll_once(dispatch.as_mut()).is_pending());
        dispatch
    };
    let phase = Phase::Indeterminate;
    let late = begin(Context::new().timeout(SECOND * 5));
    clock.advance(SECOND * 5);
    assert_eq!(ready(late), Some(Ok(1)), "the handler finished");
    let elapsed = SECOND * 5;
    assert_eq!(
        endings.recv(),
        Ok(Error::Timeout {
            phase,
            elapsed,
            limit: TimeLimit::Caller
        })
    );

    let stopped = begin(Context::new().cancel_on(token.clone()));
    token.cancel();
    assert_eq!(ready(stopped), Some(Ok(1)), "the handler finished");
    assert_eq!(endings.recv(), Ok(Error::Cancelled { phase }));
}

#[test]
fn a_nested_dispatch_is_not_begun_when_time_is_up() {
    let (clock, bus) = (FakeClock::new(), looks());
    let time = clock.clone();
    let outer = CommandBus::builder()
        .clock(clock)
        .register(from_fn(move |_: Act, cx: &Context<'_>| {
            time.advance(SECOND * 3);
            let error = bus.execute_blocking_in(cx, Look).expect_err("late");
            let phase = Phase::NotStarted;
            let elapsed = SECOND;
            assert_eq!(
                error,
                Error::Timeout {
                    phase,
                    elapsed,
                    limit: TimeLimit::Caller
                }
            );
            Ok(1)
        }))
        .build()
        .expect("one name");
    let cx = Context::new().timeout(SECOND * 2);
    assert_eq!(outer.execute_blocking_with(Act::Fail, cx), Ok(1));
}

/// A command inside a command, because kinds may be nested in any order.
struct Inner;

impl Message for Inner {
    const NAME: &'static str = "inner";
    type Kind = Command;
    type Reply = ();
    type Error = String;
}

#[test]
fn values_reach_through_many_levels() {
    let steps = Steps::default();
    let (bus, registrar) = CommandBus::builder().open().expect("empty");
    let noted = steps.clone();
    registrar
        .register(from_fn(move |_: Inner, cx: &Context<'_>| {
            let texts = (cx.get::<&str>(), cx.get::<u32>(), cx.get::<char>());
            noted.note(format!("{texts:?}"));
            Ok(())
        }))
        .expect("new");
    let cx = Context::new().with("a");
    let (one, two) = (cx.derive().with(1_u32), 'x');
    let three = one.derive();
    let four = three.derive().with(two).with(2_u32);
    assert_eq!(bus.execute_blocking_in(&four, Inner), Ok(()));
    assert_eq!(bus.execute_blocking_in(&three, Inner), Ok(()));
    assert_eq!(
        steps.take(),
        r#"(Some("a"), Some(2), Some('x')) (Some("a"), Some(1), None)"#
    );
}
