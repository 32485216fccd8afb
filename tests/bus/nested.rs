//! A dispatch inside a dispatch on one thread: across a swap, and from lane to lane.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use arcbus::{
    Command, CommandBus, Context, Dispatch, Error, Handler, LocalBus, Message, NoLayers, Outcome,
    Query, QueryBus, Registrar, Route, from_fn, static_bus,
};

use crate::acts::ready;
use crate::support::{drive, turns, watched};

/// A handle that follows the changes of the registry.
#[derive(Clone, Copy, Debug)]
enum Through {
    Shared,
    Local,
    Routed,
}

const HANDLES: [Through; 3] = [Through::Shared, Through::Local, Through::Routed];

#[derive(Clone, Copy, Debug)]
enum Lane {
    Blocking,
    Awaiting,
}

const LANES: [Lane; 2] = [Lane::Blocking, Lane::Awaiting];

/// Asks for the versions of the handlers that the message met, outermost first.
struct Who;

impl Message for Who {
    const NAME: &'static str = "who";
    type Kind = Command;
    type Reply = Vec<u32>;
    type Error = String;
}

/// Every handle of a bus, each with the table of its creation.
struct Handles {
    bus: CommandBus,
    local: LocalBus<Command>,
    route: Route<Who>,
}

impl Handles {
    fn new(bus: &CommandBus) -> Self {
        Self {
            bus: bus.clone(),
            local: bus.local(),
            route: bus.route().expect("registered"),
        }
    }

    async fn dispatch(&mut self, through: Through, lane: Lane, cx: &Context<'_>) -> Outcome<Who> {
        match through {
            Through::Shared => in_lane(&self.bus, lane, cx).await,
            Through::Local => in_lane(&mut self.local, lane, cx).await,
            Through::Routed => in_lane(&mut self.route, lane, cx).await,
        }
    }
}

async fn in_lane(
    mut handle: impl Dispatch<Who> + Send,
    lane: Lane,
    cx: &Context<'_>,
) -> Outcome<Who> {
    match lane {
        Lane::Blocking => handle.execute_blocking_in(cx, Who),
        Lane::Awaiting => handle.execute_in(cx, Who).await,
    }
}

/// The replacement of the first version.
#[derive(Clone, Copy, Debug)]
enum Swap {
    Replace,
    Deregister,
}

/// The first version, which swaps itself out, and then dispatches the message again.
struct First {
    swap: Swap,
    inner: (Through, Lane),
    registrar: Registrar<Command, NoLayers>,
    handles: Mutex<Option<Handles>>,
    dropped: Arc<AtomicBool>,
    /// Read after the swap, to check that the handler is still alive.
    version: Box<u32>,
}

impl First {
    fn swap(&self) {
        let retired = match self.swap {
            Swap::Replace => self.registrar.replace(from_fn(second)),
            Swap::Deregister => self.registrar.deregister::<Who>(),
        }
        .expect("registered");
        assert!(!retired.is_drained(), "it runs");
    }

    fn handles(&self) -> Handles {
        let handles = self.handles.lock().expect("no panic").take();
        handles.expect("called once")
    }
}

fn second(_: Who, _cx: &Context<'_>) -> Result<Vec<u32>, String> {
    Ok(vec![2])
}

impl Handler<Who> for First {
    async fn handle(&self, _msg: Who, cx: &Context<'_>) -> Result<Vec<u32>, String> {
        let mut handles = self.handles();
        self.swap();
        turns(1).await;
        let inner = handles.dispatch(self.inner.0, self.inner.1, cx).await;
        turns(1).await;
        // Every handle that kept the first table has moved on or been dropped.
        drop(handles);
        self.registrar.reclaim();
        assert!(!self.dropped.load(Ordering::SeqCst), "it runs");
        let inner = match inner {
            Err(Error::HandlerNotFound { .. }) => vec![],
            other => other.map_err(|error| error.to_string())?,
        };
        Ok([vec![*self.version], inner].concat())
    }
}

impl Drop for First {
    fn drop(&mut self) {
        self.dropped.store(true, Ordering::SeqCst);
    }
}

/// Dispatches to the first version through `outer`, which dispatches again through `inner`.
fn across(swap: Swap, outer: (Through, Lane), inner: (Through, Lane)) -> Vec<u32> {
    let dropped = Arc::new(AtomicBool::new(false));
    let (bus, registrar) = CommandBus::builder().open().expect("empty");
    registrar.must_register(from_fn(second));
    let first = First {
        swap,
        inner,
        registrar: registrar.clone(),
        handles: Mutex::new(Some(Handles::new(&bus))),
        dropped: Arc::clone(&dropped),
        version: Box::new(1),
    };
    let _ = registrar.replace(first).expect("registered");
    let mut handles = Handles::new(&bus);
    let cx = Context::new();
    let (outcome, _) = drive(handles.dispatch(outer.0, outer.1, &cx));
    assert!(!dropped.load(Ordering::SeqCst), "a reader frees nothing");
    drop(handles);
    registrar.reclaim();
    assert!(dropped.load(Ordering::SeqCst), "nobody uses it");
    outcome.expect("it answers")
}

fn ways() -> impl Iterator<Item = (Through, Lane)> {
    HANDLES
        .into_iter()
        .flat_map(|through| LANES.map(|lane| (through, lane)))
}

#[test]
fn a_handler_that_replaces_itself_calls_its_successor_and_lives_until_its_return() {
    watched(|| {
        for outer in ways() {
            for inner in ways() {
                let replaced = across(Swap::Replace, outer, inner);
                assert_eq!(replaced, [1, 2], "{outer:?} {inner:?}");
                let gone = across(Swap::Deregister, outer, inner);
                assert_eq!(gone, [1], "{outer:?} {inner:?}");
            }
        }
    });
}

/// Waits for `self.0` turns, and replies with their number.
#[derive(Clone)]
struct Turns(u32);

impl Message for Turns {
    const NAME: &'static str = "turns";
    type Kind = Query;
    type Reply = u32;
    type Error = String;
}

struct Turner;

impl Handler<Turns> for Turner {
    async fn handle(&self, msg: Turns, _cx: &Context<'_>) -> Result<u32, String> {
        turns(msg.0).await;
        Ok(msg.0)
    }
}

static_bus! {
    struct Fixed: Query {
        turns: Turns => Turner,
    }
}

/// Runs `Turns` in this lane after a turn, from within a handler of another bus.
struct Outer(Lane);

impl Message for Outer {
    const NAME: &'static str = "outer";
    type Kind = Command;
    type Reply = Vec<u32>;
    type Error = String;
}

struct Asks {
    bus: QueryBus,
    fixed: Fixed,
}

impl Handler<Outer> for Asks {
    async fn handle(&self, msg: Outer, cx: &Context<'_>) -> Result<Vec<u32>, String> {
        let Self { bus, fixed } = self;
        turns(1).await;
        let route = bus.route::<Turns>().map_err(|error| error.to_string())?;
        Ok([
            asked(bus, msg.0, cx).await?,
            asked(bus.local(), msg.0, cx).await?,
            asked(route, msg.0, cx).await?,
            asked(fixed, msg.0, cx).await?,
        ]
        .concat())
    }
}

async fn asked(
    mut handle: impl Dispatch<Turns> + Send,
    lane: Lane,
    cx: &Context<'_>,
) -> Result<Vec<u32>, String> {
    let mut replies = Vec::new();
    for turns in [0, 2] {
        let outcome = match lane {
            Lane::Blocking => handle.execute_blocking_in(cx, Turns(turns)),
            Lane::Awaiting => handle.execute_in(cx, Turns(turns)).await,
        };
        replies.push(outcome.map_err(|error| error.to_string())?);
    }
    Ok(replies)
}

static_bus! {
    struct FixedOuter: Command {
        outer: Outer => Asks,
    }
}

fn asks() -> Asks {
    let bus = QueryBus::builder()
        .register(Turner)
        .build()
        .expect("one name");
    let fixed = Fixed::new(Turner);
    Asks { bus, fixed }
}

/// Checks every lane inside every lane.
fn from_lane_to_lane(mut handle: impl Dispatch<Outer>) {
    for lane in LANES {
        let expected = Ok(vec![0, 2, 0, 2, 0, 2, 0, 2]);
        assert_eq!(handle.execute_blocking(Outer(lane)), expected, "{lane:?}");
        assert_eq!(drive(handle.execute(Outer(lane))).0, expected, "{lane:?}");
    }
}

#[test]
fn each_lane_works_inside_each_other_on_every_handle() {
    watched(|| {
        let bus = CommandBus::builder()
            .register(asks())
            .build()
            .expect("one name");
        from_lane_to_lane(&bus);
        from_lane_to_lane(bus.local());
        from_lane_to_lane(bus.route::<Outer>().expect("registered"));
        from_lane_to_lane(FixedOuter::new(asks()));
    });
}

/// Dispatches itself with a count that is lower by one, down to 0.
struct Down(u32);

impl Message for Down {
    const NAME: &'static str = "down";
    type Kind = Query;
    type Reply = u32;
    type Error = String;
}

#[test]
fn waiting_nested_dispatches_go_deeper_than_the_snapshot_slots() {
    let (bus, registrar) = QueryBus::builder().open().expect("empty");
    let inner = bus.clone();
    registrar.must_register(arcbus::from_detached_fn(move |msg: Down, cx| {
        let inner = inner.clone();
        let below: std::pin::Pin<Box<dyn Future<Output = Result<u32, String>> + Send>> =
            Box::pin(async move {
                turns(1).await;
                if msg.0 == 0 {
                    return Ok(0);
                }
                let below = inner.execute_in(&cx, Down(msg.0 - 1)).await;
                below
                    .map(|below| below + 1)
                    .map_err(|error| error.to_string())
            });
        below
    }));
    assert!(ready(bus.execute(Down(0))).is_none(), "each waits once");
    assert_eq!(drive(bus.execute(Down(20))), (Ok(20), 22));
    let _ = registrar.deregister::<Down>().expect("registered");
    registrar.reclaim();
}
