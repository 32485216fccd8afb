//! Every handle gives equal replies, in both lanes, without and with a context.

use std::any::type_name;
use std::time::Duration;

use arcbus::{
    CancelToken, Command, CommandBus, Context, Dispatch, Error, Handler, Message, Outcome, Phase,
    Query, QueryBus, Violations, static_bus,
};

use crate::acts::{Act, Actor, ready};
use crate::support::{drive, turns, watched};

static_bus! {
    struct Fixed: Command {
        act: Act => Actor,
    }
}

fn fixed() -> Fixed {
    Fixed::new(Actor::default())
}

fn bus() -> CommandBus {
    CommandBus::builder()
        .register(Actor::default())
        .build()
        .expect("one name")
}

/// Returns the outcomes of the six ways to dispatch `msg` through one handle.
fn six<M: Message + Clone>(mut handle: impl Dispatch<M>, msg: &M) -> [Outcome<M>; 6] {
    let cx = Context::new().timeout(Duration::from_secs(3600));
    [
        handle.execute_blocking(msg.clone()),
        handle.execute_blocking_with(msg.clone(), cx.clone()),
        handle.execute_blocking_in(&cx, msg.clone()),
        ready(handle.execute(msg.clone())).expect("it does not wait"),
        ready(handle.execute_with(msg.clone(), cx.clone())).expect("it does not wait"),
        ready(handle.execute_in(&cx, msg.clone())).expect("it does not wait"),
    ]
}

/// Returns the outcomes of every way to dispatch `msg` through every handle of `bus`.
fn all(bus: &CommandBus, msg: Act) -> [(&'static str, [Outcome<Act>; 6]); 8] {
    let route = || bus.route::<Act>().expect("registered");
    [
        ("bus", six(bus.clone(), &msg)),
        ("borrowed bus", six(bus, &msg)),
        ("local bus", six(bus.local(), &msg)),
        ("borrowed local bus", six(&mut bus.local(), &msg)),
        ("route", six(route(), &msg)),
        ("borrowed route", six(&mut route(), &msg)),
        ("static bus", six(fixed(), &msg)),
        ("borrowed static bus", six(&fixed(), &msg)),
    ]
}

#[test]
fn every_handle_gives_equal_replies_in_both_lanes() {
    let mut violations = Violations::new();
    violations.add("act", "valid", "must be valid");
    let message = "on purpose".into();
    for (act, expected) in [
        (Act::Answer(7), Ok(7)),
        (Act::Fail, Err(Error::Handler("failed".to_owned()))),
        (Act::Invalid, Err(Error::Invalid(violations))),
        (Act::Panic, Err(Error::Panicked { message })),
    ] {
        for (handle, outcomes) in all(&bus(), act) {
            for outcome in outcomes {
                assert_eq!(outcome, expected, "{act:?} through a {handle}");
            }
        }
    }
}

/// Returns the outcomes of the four ways to dispatch with a context through one handle.
fn with(mut handle: impl Dispatch<Act>, cx: &Context<'_>) -> [Outcome<Act>; 4] {
    let act = Act::Answer(1);
    [
        handle.execute_blocking_with(act, cx.clone()),
        handle.execute_blocking_in(cx, act),
        ready(handle.execute_with(act, cx.clone())).expect("it does not wait"),
        ready(handle.execute_in(cx, act)).expect("it does not wait"),
    ]
}

#[test]
fn no_handle_starts_a_cancelled_dispatch() {
    let token = CancelToken::new();
    token.cancel();
    let (bus, cx) = (bus(), Context::new().cancel_on(token));
    let route = bus.route::<Act>().expect("registered");
    let outcomes = [
        with(&bus, &cx),
        with(bus.local(), &cx),
        with(route, &cx),
        with(fixed(), &cx),
    ];
    let phase = Phase::NotStarted;
    for outcome in outcomes.as_flattened() {
        assert_eq!(*outcome, Err(Error::Cancelled { phase }));
    }
}

/// A message whose handler waits for this many turns, and wakes its own task each time.
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
    struct FixedTurns: Query {
        turns: Turns => Turner,
    }
}

/// Dispatches a message that takes three turns in all six ways.
fn in_turns(mut handle: impl Dispatch<Turns>) {
    let cx = Context::new().timeout(Duration::from_secs(3600));
    assert_eq!(handle.execute_blocking(Turns(3)), Ok(3));
    assert_eq!(handle.execute_blocking_with(Turns(3), cx.clone()), Ok(3));
    assert_eq!(handle.execute_blocking_in(&cx, Turns(3)), Ok(3));
    assert_eq!(drive(handle.execute(Turns(3))), (Ok(3), 4));
    assert_eq!(drive(handle.execute_with(Turns(3), cx.clone())), (Ok(3), 4));
    assert_eq!(drive(handle.execute_in(&cx, Turns(3))), (Ok(3), 4));
}

#[test]
fn a_waiting_handler_is_polled_until_done() {
    watched(|| {
        let bus = QueryBus::builder()
            .register(Turner)
            .build()
            .expect("one name");
        in_turns(&bus);
        in_turns(bus.clone());
        in_turns(bus.local());
        in_turns(bus.route::<Turns>().expect("registered"));
        in_turns(FixedTurns::new(Turner));
        in_turns(&FixedTurns::new(Turner));
    });
}

#[test]
fn a_message_without_a_handler_is_named_with_its_type() {
    let (bus, registrar) = CommandBus::builder()
        .register(Actor::default())
        .open()
        .expect("one name");
    let (local, route) = (bus.local(), bus.route::<Act>().expect("registered"));
    let _ = registrar.deregister::<Act>().expect("registered");
    let act = Act::Answer(1);
    let outcomes = [
        six(bus.clone(), &act),
        six(&bus, &act),
        six(local, &act),
        six(bus.local(), &act),
        six(route, &act),
    ];
    let name = type_name::<Act>();
    assert!(name.ends_with("::acts::Act"));
    for outcome in outcomes.as_flattened() {
        let error = outcome.as_ref().unwrap_err();
        assert!(error.is_handler_not_found());
        assert_eq!(
            error.to_string(),
            format!("no handler is registered for 'act' ({name})")
        );
    }
    let error = bus.route::<Act>().unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("message 'act' ({name}) has no handler: use `register` to add one")
    );
}

#[test]
fn debug_tells_the_kind_of_a_handle() {
    let (commands, registrar) = CommandBus::builder()
        .register(Actor::default())
        .open()
        .expect("one name");
    let queries = QueryBus::builder().build().expect("empty");
    assert_eq!(
        format!("{commands:?} {queries:?}"),
        "Bus(command) Bus(query)"
    );
    assert_eq!(
        format!("{:?} {:?}", commands.local(), queries.local()),
        "LocalBus(command) LocalBus(query)"
    );
    assert_eq!(format!("{registrar:?}"), "Registrar(command)");
    let mut route = commands.route::<Act>().expect("registered");
    assert!(
        format!("{route:?}")
            .starts_with("Route { route: Some(RouteInfo { message: MessageType('act'")
    );
    let _ = registrar.deregister::<Act>().expect("registered");
    route.refresh();
    assert_eq!(format!("{route:?}"), "Route { route: None, .. }");
}
