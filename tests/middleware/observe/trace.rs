//! `Trace`: the spans and events that a subscriber sees.

use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arcbus::ErrorKind;
use arcbus::middleware::{Fallback, ProductionConfig, ProductionLayers, Timeout, Trace};
use arcbus::{
    Class, Command, CommandBus, Context, FakeClock, Message, TraceParent, from_fn, guard,
};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use crate::acts::{Act, Actor, Steps, each_lane, each_lane_with, layers, poll_once, ready};

/// A subscriber that writes down spans and events from a level up.
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

    /// Returns the spans and events that occur while `work` runs.
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

    /// Numbers must arrive at the subscriber as numbers.
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0 += &format!(" {}={value}_u64", field.name());
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

const BEGINS: &str = "INFO arcbus dispatch otel.name=\"act\" otel.kind=\"internal\" \
     message=\"act\" kind=\"command\"";

#[test]
fn a_dispatch_is_a_span_and_an_event_at_its_end() {
    let bus = bus(Trace::new());
    let told = Listener::new(Level::TRACE).hears(|| {
        assert_eq!(bus.execute_blocking(Act::Answer(1)), Ok(1));
    });
    // The inner layers run inside the span, and the event follows at its end.
    let expected = [
        BEGINS,
        "enter",
        "exit",
        "record outcome=\"ok\"",
        "record source=\"handler\"",
        "record elapsed_ns=0_u64",
        "enter",
        "event INFO message=\"act\" kind=\"command\" outcome=\"ok\" source=\"handler\" elapsed_ns=0_u64",
        "exit",
    ];
    assert_eq!(told, expected);
}

/// Collects the events and the names of their fields, which the span has, too.
#[test]
fn a_field_has_one_name_in_span_and_event() {
    let bus = bus(Trace::new());
    for act in [Act::Answer(1), Act::Fail] {
        let told = Listener::new(Level::TRACE).hears(|| drop(bus.execute_blocking(act)));
        let names = |begins: &str| {
            let lines = told.iter().filter(|line| line.starts_with(begins));
            let words = lines.flat_map(|line| line.split_whitespace());
            let names = words.filter_map(|word| word.split_once('=').map(|(name, _)| name));
            names.map(str::to_owned).collect::<Vec<_>>()
        };
        let of_span = [names("INFO"), names("record")].concat();
        for name in names("event") {
            assert!(
                of_span.contains(&name) || name == "error",
                "{name} in {told:?}"
            );
        }
    }
}

#[test]
fn a_substitute_reply_is_distinguished_from_the_handlers() {
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

fn refusing(trace: Trace) -> CommandBus {
    let refuse = guard(|msg: &Act, _: &Context<'_>| match msg {
        Act::Answer(13) => Err(arcbus::Rejection::new("unlucky")),
        _ => Ok(()),
    });
    CommandBus::builder()
        .clock(FakeClock::new())
        .layer(trace)
        .wrap(refuse)
        .register(Actor::default())
        .build()
        .expect("sound")
}

#[test]
fn the_level_of_the_event_follows_the_outcome() {
    let bus = refusing(Trace::new());
    let table = [
        (
            Act::Answer(1),
            r#"event INFO message="act" kind="command" outcome="ok""#,
        ),
        (
            Act::Answer(13),
            r#"event INFO message="act" kind="command" outcome="rejected" elapsed_ns=0_u64 error=rejected: unlucky"#,
        ),
        (
            Act::Fail,
            r#"event WARN message="act" kind="command" outcome="unclassified" elapsed_ns=0_u64 error=failed error.type="unclassified""#,
        ),
        (
            Act::Panic,
            r#"event ERROR message="act" kind="command" outcome="panicked""#,
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
fn levels_can_be_chosen() {
    let trace = Trace::new().level(Level::DEBUG);
    let bus = refusing(
        trace
            .refusal_level(Level::TRACE)
            .failure_level(Level::ERROR),
    );
    assert!(events(&bus, Act::Answer(1))[0].starts_with("event DEBUG"));
    assert_eq!(
        events(&bus, Act::Answer(13)),
        [""; 0],
        "below what is listened to"
    );
    assert!(events(&bus, Act::Fail)[0].starts_with("event ERROR"));
    assert!(events(&bus, Act::Panic)[0].starts_with("event ERROR"));
}

/// A message whose handler fails with an error of this class.
#[derive(Clone)]
struct Classed(Class);

impl Message for Classed {
    const NAME: &'static str = "classed";
    type Kind = arcbus::Command;
    type Reply = ();
    type Error = String;

    fn classify(error: &String) -> Class {
        match error.as_str() {
            "Transient" => Class::Transient,
            "Permanent" => Class::Permanent,
            _ => Class::Unclassified,
        }
    }
}

#[test]
fn the_status_is_an_error_where_the_service_is_the_reason() {
    let fails = |msg: Classed, _: &Context<'_>| Err::<(), _>(format!("{:?}", msg.0));
    let builder = CommandBus::builder().layer(Trace::new());
    let classed = builder.register(from_fn(fails)).build().expect("sound");
    let status = |work: &dyn Fn()| {
        let told = Listener::new(Level::DEBUG).hears(work);
        let is = |line: &str| told.iter().any(|told| told == line);
        let is_error = is("record otel.status_code=\"ERROR\"");
        let has_type = told.iter().any(|line| line.contains("error.type="));
        assert_eq!(is_error, has_type, "{told:?}");
        is_error
    };
    for (class, is_error) in [
        (Class::Transient, true),
        (Class::Unclassified, true),
        (Class::Permanent, false),
    ] {
        let dispatch = || drop(each_lane(&classed, Classed(class)));
        assert_eq!(status(&dispatch), is_error, "{class:?}");
    }
    let acts = refusing(Trace::new());
    for (act, is_error) in [
        (Act::Answer(1), false),
        (Act::Answer(13), false),
        (Act::Invalid, false),
        (Act::Panic, true),
    ] {
        let dispatch = || drop(each_lane(&acts, act));
        assert_eq!(status(&dispatch), is_error, "{act:?}");
    }
    let faults = ErrorKind::ALL.iter().filter(|kind| kind.is_fault());
    assert_eq!(faults.count(), 10);
}

#[test]
fn the_parent_trace_of_the_caller_is_recorded() {
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

/// Writes to the subscriber when dropped, like a handler that cleans up.
struct CleansUp;

impl Drop for CleansUp {
    fn drop(&mut self) {
        tracing::info!("cleaned up");
    }
}

/// A handler that waits for ever, and cleans up when dropped.
struct Waits;

impl arcbus::Handler<Act> for Waits {
    async fn handle(&self, _: Act, _: &Context<'_>) -> Result<u32, String> {
        let _cleans_up = CleansUp;
        std::future::pending().await
    }
}

/// Returns whether the event in `line` occurred inside a span.
fn is_inside(told: &[String], line: &str) -> bool {
    let place = told.iter().position(|told| told.contains(line));
    let before = &told[..place.unwrap_or_else(|| panic!("no {line} in {told:?}"))];
    let count = |what: &str| before.iter().filter(|line| *line == what).count();
    count("enter") > count("exit")
}

#[test]
fn cleanup_of_a_dropped_handler_is_in_its_span() {
    let clock = FakeClock::new();
    let builder = CommandBus::builder()
        .clock(clock.clone())
        .layer(Trace::new());
    let bus = builder.register(Waits).build().expect("sound");
    let told = Listener::new(Level::INFO).hears(|| {
        let mut waits = Box::pin(bus.execute(Act::Wait));
        assert!(poll_once(waits.as_mut()).is_pending());
        clock.advance(Duration::from_nanos(7));
    });
    assert!(is_inside(&told, "cleaned up"), "{told:?}");
    let dropped = "message=\"act\" kind=\"command\" outcome=\"dropped\" elapsed_ns=7_u64";
    assert!(is_inside(&told, dropped), "{told:?}");
    assert!(
        !told.iter().any(|line| line.contains("status_code")),
        "{told:?}"
    );
}

#[test]
fn cleanup_of_a_timed_out_handler_is_in_its_span() {
    let late = || Context::new().timeout(Duration::from_millis(1));
    let builder = CommandBus::builder().layer(Trace::new());
    let bus = builder.register(Waits).build().expect("sound");
    let told = Listener::new(Level::INFO).hears(|| {
        let late = bus.execute_blocking_with(Act::Wait, late());
        assert!(late.is_err_and(|error| error.is_timeout()));
    });
    assert!(is_inside(&told, "cleaned up"), "{told:?}");

    let builder = CommandBus::builder().layer(Trace::new());
    let builder = builder.layer(Timeout::new(Duration::from_millis(1)));
    let bus = builder.register(Waits).build().expect("sound");
    let told = Listener::new(Level::INFO).hears(|| {
        let late = bus.execute_blocking(Act::Wait);
        assert!(late.is_err_and(|error| error.is_timeout()));
    });
    assert!(is_inside(&told, "cleaned up"), "{told:?}");
    let timeout = "record otel.status_code=\"ERROR\"".to_owned();
    assert!(told.contains(&timeout), "{told:?}");
}

#[test]
fn a_dispatch_whose_classify_panics_is_recorded_as_dropped() {
    struct Odd;
    impl Message for Odd {
        const NAME: &'static str = "odd";
        type Kind = Command;
        type Reply = ();
        type Error = String;
        fn classify(_: &String) -> Class {
            panic!("on purpose")
        }
    }
    let clock = FakeClock::new();
    let bus = CommandBus::builder()
        .clock(clock)
        .layer(Trace::new())
        .register(from_fn(|_: Odd, _: &Context<'_>| {
            Err::<(), _>("odd".to_owned())
        }))
        .build()
        .expect("one name");
    let told = Listener::new(Level::INFO).hears(|| {
        let _ = catch_unwind(AssertUnwindSafe(|| bus.execute_blocking(Odd)));
        let _ = catch_unwind(AssertUnwindSafe(|| ready(bus.execute(Odd))));
    });
    let dropped = |line: &&String| line.starts_with("event") && line.contains("dropped");
    assert_eq!(told.iter().filter(dropped).count(), 2, "{told:?}");
}

#[test]
fn a_failure_is_recorded_without_a_span() {
    let bus = bus(Trace::new());
    let told = Listener::new(Level::WARN).hears(|| drop(each_lane(&bus, Act::Fail)));
    assert_eq!(told.len(), 2);
    for told in told {
        let expected = "event WARN message=\"act\" kind=\"command\" outcome=\"unclassified\"";
        assert!(told.starts_with(expected), "{told}");
        assert!(!told.contains("elapsed_ns"), "{told}");
    }
}

#[test]
fn a_trace_without_a_subscriber_does_nothing() {
    let clock = FakeClock::new();
    let steps = Steps::default();
    let bus = CommandBus::builder()
        .clock(clock.clone())
        .layer(Trace::new())
        .register(Actor(steps.clone()))
        .build()
        .expect("sound");
    let before = clock.reads();
    let told = Listener::new(Level::WARN).hears(|| {
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

#[test]
fn a_production_stack_shows_a_service_working() {
    let stack = ProductionLayers::commands(ProductionConfig::new());
    let builder = CommandBus::builder().layers(&stack);
    let bus = builder.register(Actor::default()).build().expect("sound");
    assert_eq!(layers(&bus)[0], "Trace");
    let told = Listener::new(Level::INFO).hears(|| {
        assert_eq!(bus.execute_blocking(Act::Answer(1)), Ok(1));
        assert_eq!(ready(bus.execute(Act::Answer(1))), Some(Ok(1)));
    });
    let replies = told.iter().filter(|line| line.starts_with("event INFO"));
    assert_eq!(replies.count(), 2, "{told:?}");

    let stack = ProductionLayers::commands(ProductionConfig::new().trace(None));
    let builder = CommandBus::builder().layers(&stack);
    let bus = builder.register(Actor::default()).build().expect("sound");
    assert_eq!(layers(&bus)[0], "Validation");
}
