//! A message and its handler's future are dropped exactly once, however the dispatch ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use arcbus::{
    CancelToken, Command, CommandBus, Context, Dispatch, Error, FakeClock, Handler, Message,
    Outcome, Phase, Violations, static_bus,
};

use crate::acts::poll_once;
use crate::support::{drive, turns};

const SECOND: Duration = Duration::from_secs(1);

/// The way in which the dispatch of a message ends.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Answered,
    AnsweredAfterTurns,
    Failed,
    Invalid,
    PanickedInValidation,
    PanickedMaking,
    Panicked,
    PanickedAfterTurns,
    Waits,
}

/// Counts drops of messages, and of futures that had been polled.
#[derive(Clone, Default)]
struct Counts {
    messages: Arc<AtomicUsize>,
    begun: Arc<AtomicUsize>,
    futures: Arc<AtomicUsize>,
}

struct OnDrop(Arc<AtomicUsize>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Counts {
    fn message(&self, end: End) -> Ends {
        Ends {
            end,
            counts: self.clone(),
            _dropped: OnDrop(Arc::clone(&self.messages)),
        }
    }

    /// Returns the numbers of messages, of futures begun and of futures dropped since the last
    /// call.
    fn take(&self) -> [usize; 3] {
        [&self.messages, &self.begun, &self.futures].map(|count| count.swap(0, Ordering::SeqCst))
    }
}

pub(crate) struct Ends {
    end: End,
    counts: Counts,
    _dropped: OnDrop,
}

impl Message for Ends {
    const NAME: &'static str = "ends";
    type Kind = Command;
    type Reply = ();
    type Error = String;

    fn validate(&self) -> Result<(), Violations> {
        assert_ne!(self.end, End::PanickedInValidation);
        let mut violations = Violations::new();
        if self.end == End::Invalid {
            violations.add("end", "valid", "must be valid");
        }
        violations.into_result()
    }
}

struct Ender;

impl Handler<Ends> for Ender {
    fn handle(
        &self,
        msg: Ends,
        _cx: &Context<'_>,
    ) -> impl Future<Output = Result<(), String>> + Send {
        assert_ne!(msg.end, End::PanickedMaking);
        async move {
            // Captures the whole message, and not only the fields that are used.
            let msg = msg;
            msg.counts.begun.fetch_add(1, Ordering::SeqCst);
            let _dropped = OnDrop(Arc::clone(&msg.counts.futures));
            match msg.end {
                End::Failed => return Err("failed".into()),
                End::Panicked => panic!("on purpose"),
                End::AnsweredAfterTurns | End::PanickedAfterTurns => turns(2).await,
                End::Waits => std::future::pending().await,
                _ => {}
            }
            assert_ne!(msg.end, End::PanickedAfterTurns);
            Ok(())
        }
    }
}

static_bus! {
    struct Fixed: Command {
        ends: Ends => Ender,
    }
}

/// Builds a bus whose handler replies with [`answered`] at once.
pub(crate) fn answering() -> CommandBus {
    CommandBus::builder()
        .register(Ender)
        .build()
        .expect("one name")
}

pub(crate) fn answered() -> Ends {
    Counts::default().message(End::Answered)
}

/// Checks a way to dispatch on every handle of a bus with the given clock.
macro_rules! on_each_handle {
    (|$handle:ident, $clock:ident| $check:expr) => {{
        let $clock = FakeClock::new();
        let bus = CommandBus::builder()
            .clock($clock.clone())
            .register(Ender)
            .build()
            .expect("one name");
        let mut $handle = &bus;
        $check;
        let mut $handle = bus.local();
        $check;
        let mut $handle = bus.route::<Ends>().expect("registered");
        $check;
        let mut $handle = Fixed::new(Ender).clock($clock.clone());
        $check;
    }};
}

/// Checks all four ways to dispatch, each with its own message.
fn ends(
    mut handle: impl Dispatch<Ends>,
    end: End,
    dropped: [usize; 3],
    is_it: fn(&Outcome<Ends>) -> bool,
) {
    let counts = Counts::default();
    let check = |outcome: Outcome<Ends>| {
        assert!(is_it(&outcome), "{end:?}: {outcome:?}");
        assert_eq!(counts.take(), dropped, "{end:?}");
    };
    check(handle.execute_blocking(counts.message(end)));
    check(handle.execute_blocking_with(counts.message(end), Context::new().with("a value")));
    check(drive(handle.execute(counts.message(end))).0);
    check(drive(handle.execute_with(counts.message(end), Context::new().with("a value"))).0);
}

#[test]
fn a_message_is_dropped_once_for_every_end_of_its_handler() {
    let not_begun = [1, 0, 0];
    let begun = [1, 1, 1];
    on_each_handle!(|handle, _clock| {
        ends(&mut handle, End::Answered, begun, Outcome::<Ends>::is_ok);
        ends(
            &mut handle,
            End::AnsweredAfterTurns,
            begun,
            Outcome::<Ends>::is_ok,
        );
        let failed = |outcome: &Outcome<Ends>| matches!(outcome, Err(Error::Handler(_)));
        ends(&mut handle, End::Failed, begun, failed);
        let invalid = |outcome: &Outcome<Ends>| matches!(outcome, Err(Error::Invalid(_)));
        ends(&mut handle, End::Invalid, not_begun, invalid);
        let panicked = |outcome: &Outcome<Ends>| matches!(outcome, Err(Error::Panicked { .. }));
        ends(&mut handle, End::PanickedInValidation, not_begun, panicked);
        ends(&mut handle, End::PanickedMaking, not_begun, panicked);
        ends(&mut handle, End::Panicked, begun, panicked);
        ends(&mut handle, End::PanickedAfterTurns, begun, panicked);
    });
}

#[test]
fn a_message_without_a_handler_is_dropped_once() {
    let (bus, registrar) = CommandBus::builder()
        .register(Ender)
        .open()
        .expect("one name");
    let (local, route) = (bus.local(), bus.route::<Ends>().expect("registered"));
    let _ = registrar.deregister::<Ends>().expect("registered");
    let not_found = |outcome: &Outcome<Ends>| matches!(outcome, Err(Error::HandlerNotFound { .. }));
    ends(&bus, End::Answered, [1, 0, 0], not_found);
    ends(local, End::Answered, [1, 0, 0], not_found);
    ends(route, End::Answered, [1, 0, 0], not_found);
}

/// Checks that a late or cancelled dispatch never starts, in both lanes.
fn not_started(mut handle: impl Dispatch<Ends>) {
    let counts = Counts::default();
    let token = CancelToken::new();
    token.cancel();
    let late = Context::new().timeout(Duration::ZERO);
    for cx in [late, Context::new().cancel_on(token)] {
        let blocking = handle.execute_blocking_with(counts.message(End::Answered), cx.clone());
        assert_eq!(phase(blocking), Phase::NotStarted);
        assert_eq!(counts.take(), [1, 0, 0]);
        let (awaiting, polls) = drive(handle.execute_with(counts.message(End::Answered), cx));
        assert_eq!(phase(awaiting), Phase::NotStarted);
        assert_eq!(polls, 1);
        assert_eq!(counts.take(), [1, 0, 0]);
    }
}

fn phase(outcome: Outcome<Ends>) -> Phase {
    match outcome {
        Err(Error::Timeout { phase, .. } | Error::Cancelled { phase }) => phase,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_message_is_dropped_once_if_its_dispatch_never_starts() {
    on_each_handle!(|handle, _clock| not_started(&mut handle));
}

/// Checks that an interrupted message is dropped together with the outcome, and not only with the
/// dispatch.
fn interrupted(mut handle: impl Dispatch<Ends>, cx: Context<'_>, interrupt: impl FnOnce()) {
    let counts = Counts::default();
    let mut dispatch = Box::pin(handle.execute_with(counts.message(End::Waits), cx));
    assert!(poll_once(dispatch.as_mut()).is_pending());
    assert_eq!(counts.take(), [0, 1, 0]);
    interrupt();
    let Poll::Ready(outcome) = poll_once(dispatch.as_mut()) else {
        panic!("it was interrupted");
    };
    assert_eq!(phase(outcome), Phase::Indeterminate);
    assert_eq!(counts.take(), [1, 0, 1]);
    drop(dispatch);
    assert_eq!(counts.take(), [0, 0, 0]);
}

#[test]
fn a_message_is_dropped_with_the_outcome_of_an_interrupted_dispatch() {
    on_each_handle!(|handle, clock| {
        let cx = Context::new().timeout(SECOND);
        interrupted(&mut handle, cx, || clock.advance(SECOND));
        let token = CancelToken::new();
        let cx = Context::new().cancel_on(token.clone());
        interrupted(&mut handle, cx, || token.cancel());
    });
}

#[test]
fn a_message_is_dropped_once_if_interrupted_in_the_blocking_lane() {
    let bus = answering();
    let counts = Counts::default();
    let cx = Context::new().timeout(Duration::from_millis(1));
    let outcome = bus.execute_blocking_with(counts.message(End::Waits), cx);
    assert_eq!(phase(outcome), Phase::Indeterminate);
    assert_eq!(counts.take(), [1, 1, 1]);
}

/// Checks a dispatch that is dropped before and after its first poll.
fn given_up(mut handle: impl Dispatch<Ends>) {
    let counts = Counts::default();
    drop(handle.execute(counts.message(End::Answered)));
    assert_eq!(counts.take(), [1, 0, 0]);
    drop(handle.execute_with(counts.message(End::Answered), Context::new()));
    assert_eq!(counts.take(), [1, 0, 0]);
    for end in [End::Waits, End::AnsweredAfterTurns] {
        let mut dispatch = Box::pin(handle.execute(counts.message(end)));
        assert!(poll_once(dispatch.as_mut()).is_pending());
        assert_eq!(counts.take(), [0, 1, 0]);
        drop(dispatch);
        assert_eq!(counts.take(), [1, 0, 1]);
    }
}

#[test]
fn a_message_is_dropped_once_if_its_dispatch_is_dropped() {
    on_each_handle!(|handle, _clock| given_up(&mut handle));
}
