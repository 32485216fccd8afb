//! `Trace`: spans and events, as a subscriber sees them.

use std::fmt::Debug;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use arcbus::middleware::{Fallback, Trace};
use arcbus::{CommandBus, Context, FakeClock, TraceParent, guard};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use crate::acts::{Act, Actor, Steps, each_lane, each_lane_with, poll_once};

/// Writes down what it is told, from a level up.
#[derive(Clone)]
struct Listener {
    level: Level,
    lines: Arc<Mutex<Vec<String>>>,
    ids: Arc<AtomicU64>,
}

impl Listener {
    fn new(level: Level) -> Self {
        Self {
            level,
            lines: Arc::default(),
            ids: Arc::default(),
        }
    }

    fn note(&self, line: String) {
        self.lines.lock().unwrap().push(line);
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.lines.lock().unwrap())
    }

    /// What is told while `work` runs.
    fn hears(&self, work: impl FnOnce()) -> Vec<String> {
        tracing::subscriber::with_default(self.clone(), work);
        self.take()
    }
}

#[derive(Default)]
struct Fields(String);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0 += &format!(" {}={value:?}", field.name());
    }
}

impl Subscriber for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= self.level
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.level.into())
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut fields = Fields::default();
        span.record(&mut fields);
        let metadata = span.metadata();
        self.note(format!(
            "{} {} {}{}",
            metadata.level(),
            metadata.target(),
            metadata.name(),
            fields.0
        ));
        Id::from_u64(self.ids.fetch_add(1, Ordering::Relaxed) + 1)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        let mut fields = Fields::default();
        values.record(&mut fields);
        self.note(format!("record{}", fields.0));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        self.note(format!("event {}{}", event.metadata().level(), fields.0));
    }

    fn enter(&self, _: &Id) {
        self.note("enter".into());
    }

    fn exit(&self, _: &Id) {
        self.note("exit".into());
    }
}

fn bus(trace: Trace) -> CommandBus {
    let builder = CommandBus::builder().clock(FakeClock::new()).layer(trace);
    builder.register(Actor::default()).build().expect("sound")
}

const BEGINS: &str = "DEBUG arcbus dispatch message=\"act\" kind=\"command\"";

#[test]
fn a_dispatch_is_a_span_and_an_event_at_its_end() {
    let bus = bus(Trace::new());
    let told = Listener::new(Level::TRACE).hears(|| {
        assert_eq!(bus.execute_blocking(Act::Answer(1)), Ok(1));
    });
    // In it the rest is made, then polled, then the event is told.
    let expected = [
        BEGINS,
        "enter",
        "exit",
        "enter",
        "exit",
        "record outcome=\"ok\"",
        "record elapsed_ns=0",
        "record source=\"handler\"",
        "enter",
        "event DEBUG message=dispatched outcome=\"ok\"",
        "exit",
    ];
    assert_eq!(told, expected);
}

#[test]
fn a_reply_that_the_handler_did_not_give_is_told_from_it() {
    let builder = CommandBus::builder().clock(FakeClock::new());
    let builder = builder.layer(Trace::new()).layer(Fallback::value(7));
    let bus = builder.register(Actor::default()).build().expect("sound");
    let told = Listener::new(Level::TRACE).hears(|| {
        assert_eq!(bus.execute_blocking(Act::Fail), Ok(7));
    });
    assert!(
        told.contains(&"record source=\"fallback\"".to_owned()),
        "{told:?}"
    );
}

fn events(bus: &CommandBus, act: Act) -> Vec<String> {
    let mut told = Listener::new(Level::DEBUG).hears(|| drop(each_lane(bus, act)));
    told.retain(|line| line.starts_with("event"));
    told
}

#[test]
fn the_level_of_the_event_says_whether_to_look() {
    let refuse = guard(|msg: &Act, _: &Context<'_>| match msg {
        Act::Answer(13) => Err(arcbus::Rejection::new("unlucky")),
        _ => Ok(()),
    });
    let bus = CommandBus::builder()
        .layer(Trace::new().level(Level::INFO))
        .wrap(refuse)
        .register(Actor::default())
        .build()
        .expect("sound");
    let table = [
        (
            Act::Answer(1),
            r#"event INFO message=dispatched outcome="ok""#,
        ),
        (
            Act::Answer(13),
            r#"event INFO message=failed kind="command" name="act" outcome="rejected" error=rejected: unlucky"#,
        ),
        (
            Act::Fail,
            r#"event WARN message=failed kind="command" name="act" outcome="unclassified" error=failed"#,
        ),
        (
            Act::Panic,
            r#"event ERROR message=failed kind="command" name="act" outcome="panicked""#,
        ),
    ];
    for (act, expected) in table {
        for told in events(&bus, act) {
            assert!(told.starts_with(expected), "{told}");
        }
        assert_eq!(events(&bus, act).len(), 2);
    }
}

#[test]
fn the_parent_of_the_caller_is_told() {
    let parent = "00-0123456789abcdef0123456789abcdef-00000000000000ff-01";
    let parent: TraceParent = parent.parse().expect("well formed");
    let bus = bus(Trace::new());
    let cx = Context::new().trace_parent(parent);
    let told = Listener::new(Level::DEBUG).hears(|| {
        drop(each_lane_with(&bus, Act::Answer(1), &cx));
    });
    for line in [
        "record trace_id=0123456789abcdef0123456789abcdef",
        "record parent_id=00000000000000ff",
    ] {
        assert!(told.iter().any(|told| told == line), "{told:?}");
    }
}

#[test]
fn a_dispatch_that_is_dropped_says_so() {
    let bus = bus(Trace::new());
    let told = Listener::new(Level::DEBUG).hears(|| {
        let mut waits = Box::pin(bus.execute(Act::Wait));
        assert!(poll_once(waits.as_mut()).is_pending());
        assert!(poll_once(waits.as_mut()).is_pending());
    });
    assert_eq!(told.iter().filter(|line| *line == "enter").count(), 3);
    assert_eq!(
        told.last().map(String::as_str),
        Some("record outcome=\"dropped\"")
    );
}

#[test]
fn a_failure_is_told_without_a_span() {
    let bus = bus(Trace::new());
    let told = Listener::new(Level::WARN).hears(|| drop(each_lane(&bus, Act::Fail)));
    assert_eq!(told.len(), 2);
    for told in told {
        assert!(told.starts_with("event WARN message=failed"), "{told}");
    }
}

#[test]
fn nothing_is_done_where_nobody_listens() {
    let clock = FakeClock::new();
    let steps = Steps::default();
    let bus = CommandBus::builder()
        .clock(clock.clone())
        .layer(Trace::new())
        .register(Actor(steps.clone()))
        .build()
        .expect("sound");
    let before = clock.reads();
    let told = Listener::new(Level::INFO).hears(|| {
        assert_eq!(each_lane(&bus, Act::Answer(1)), [Ok(1), Ok(1)]);
    });
    assert_eq!(told, [""; 0]);
    assert_eq!(
        (clock.reads() - before, steps.take().as_str()),
        (0, "handle handle")
    );
    let mut dispatch = pin!(bus.execute(Act::Answer(2)));
    assert!(poll_once(dispatch.as_mut()).is_ready());
    assert_eq!(clock.reads() - before, 0);
}
