//! The number of attempts, and the outcome that they lead to.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use arcbus::middleware::Retry;
use arcbus::{
    Class, Command, CommandBus, Context, Error, Handler, LayerExt, Message, Query, QueryBus,
};

use crate::acts::{layers, ready};
use crate::asking::{Ask, FAIL, Step, down, rig};

/// Returns a retry of `attempts` attempts, without pauses and without a budget.
fn at_once(attempts: u32) -> Retry {
    Retry::fixed(attempts, Duration::ZERO).without_budget()
}

fn third_replies(attempt: u32) -> Step {
    if attempt < 3 { FAIL } else { Step::Reply }
}

#[test]
fn a_reply_of_the_first_attempt_is_returned_without_further_attempts() {
    let retry = Retry::exponential(3, Duration::from_secs(1));
    let handles = retry.handles();
    let rig = rig(QueryBus::builder().layer(retry));
    let reads = rig.clock.reads();
    assert_eq!(rig.both(|_| Step::Reply), (Ok(1), "1".into()));
    assert_eq!(rig.clock.reads(), reads, "nobody asked for the time");
    let policy = handles.get("ask").expect("registered");
    assert_eq!((policy.repeats(), policy.gave_up()), (0, 0));
}

#[test]
fn a_message_is_attempted_until_it_has_a_reply() {
    let retry = at_once(5);
    let handles = retry.handles();
    let rig = rig(QueryBus::builder().layer(retry));
    assert_eq!(rig.both(third_replies), (Ok(3), "1 2 3".into()));
    let policy = handles.get("ask").expect("registered");
    assert_eq!((policy.repeats(), policy.gave_up()), (4, 0));
}

#[test]
fn the_error_of_the_last_attempt_is_returned_when_all_are_used() {
    let retry = at_once(3);
    let handles = retry.handles();
    let rig = rig(QueryBus::builder().layer(retry));
    let classes = |attempt| match attempt {
        3 => Step::Down(Class::Unclassified),
        _ => FAIL,
    };
    let last = Err(down(Class::Unclassified));
    assert_eq!(rig.both(classes), (last, "1 2 3".into()));
    let policy = handles.get("ask").expect("registered");
    assert_eq!((policy.repeats(), policy.gave_up()), (4, 2));
}

#[test]
fn attempts_are_counted_with_the_first() {
    let once = rig(QueryBus::builder().layer(at_once(1)));
    assert_eq!(
        once.both(|_| FAIL),
        (Err(down(Class::Transient)), "1".into())
    );
    let often = rig(QueryBus::builder().layer(at_once(100)));
    for (outcome, steps) in often.lanes(|_| FAIL) {
        assert!(outcome.is_err());
        assert_eq!(steps.split(' ').count(), 100);
    }
}

#[test]
fn the_number_of_attempts_can_be_changed_on_a_running_retry() {
    let retry = at_once(3);
    let handles = retry.handles();
    let rig = rig(QueryBus::builder().layer(retry));
    let policy = handles.get("ask").expect("registered");
    policy.set_attempts(1).expect("in range");
    assert_eq!(rig.both(third_replies).1, "1");
    policy.set_attempts(2).expect("in range");
    assert_eq!(rig.both(third_replies).1, "1 2");
    for attempts in [0, 101] {
        let invalid = policy.set_attempts(attempts).expect_err("out of range");
        assert_eq!(invalid.field(), "Retry.attempts");
    }
    assert_eq!(
        (policy.attempts(), rig.both(third_replies).1),
        (2, "1 2".into())
    );
}

#[test]
fn a_retry_switched_off_does_nothing() {
    let off = rig(QueryBus::builder().layer(None::<Retry>));
    assert_eq!(
        off.both(|_| FAIL),
        (Err(down(Class::Transient)), "1".into())
    );
    assert_eq!(layers(&off.bus), ["Refusing"]);
    let on = rig(QueryBus::builder().layer(Some(at_once(3))));
    assert_eq!(on.both(third_replies), (Ok(3), "1 2 3".into()));
    assert_eq!(layers(&on.bus), ["Retry", "Refusing"]);
}

#[test]
fn a_shared_layer_counts_for_its_routes_together() {
    let retry = at_once(3);
    let handles = retry.handles();
    let rig = rig(QueryBus::builder().layer(retry.shared()));
    assert_eq!(rig.both(third_replies).0, Ok(3));
    assert_eq!(handles.all().len(), 1);
    assert_eq!(handles.get("ask").expect("registered").repeats(), 4);
}

#[test]
fn nested_retries_start_their_attempts_anew() {
    let builder = QueryBus::builder().layer(at_once(2)).layer(at_once(2));
    let rig = rig(builder);
    // The inner retry begins its attempts anew in each attempt of the outer one.
    let (outcome, steps) = rig.both(|_| FAIL);
    assert_eq!(outcome, Err(down(Class::Transient)));
    assert_eq!(steps, "1 2 2 3");
}

#[test]
fn an_idempotent_command_is_repeated() {
    let rig = rig::<Command, _>(CommandBus::builder().layer(at_once(5)));
    assert_eq!(rig.both(third_replies), (Ok(3), "1 2 3".into()));
}

/// A message that counts how often it is cloned.
struct Counted(Arc<AtomicU32>);

impl Clone for Counted {
    fn clone(&self) -> Self {
        self.0.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(&self.0))
    }
}

impl Message for Counted {
    const NAME: &'static str = "counted";
    type Kind = Query;
    type Reply = ();
    type Error = String;
}

struct Fails(u32);

impl Handler<Counted> for Fails {
    async fn handle(&self, msg: Counted, cx: &Context<'_>) -> Result<(), String> {
        drop(msg);
        if cx.attempt() <= self.0 {
            Err("down".into())
        } else {
            Ok(())
        }
    }
}

#[test]
fn a_message_is_copied_once_for_each_attempt_but_the_last() {
    for (fails, copies) in [(0, 1), (1, 2), (2, 2), (3, 2)] {
        let builder = QueryBus::builder().layer(at_once(3));
        let bus = builder.register(Fails(fails)).build().expect("in range");
        let each = |dispatch: &dyn Fn(Counted) -> Result<(), Error<String>>| {
            let clones = Arc::new(AtomicU32::new(0));
            let _ = dispatch(Counted(Arc::clone(&clones)));
            assert_eq!(Arc::strong_count(&clones), 1, "a copy is left");
            clones.load(Ordering::Relaxed)
        };
        let awaited = each(&|msg| ready(bus.execute(msg)).expect("it does not wait"));
        let blocked = each(&|msg| bus.execute_blocking(msg));
        assert_eq!((blocked, awaited), (copies, copies), "{fails} fail");
    }
}

#[test]
fn each_message_has_its_own_attempts() {
    let retry = at_once(2);
    let handles = retry.handles();
    let bus = QueryBus::builder()
        .layer(retry)
        .register(Fails(1))
        .register::<Ask, _>(arcbus::from_fn(|_: Ask, _: &Context<'_>| Ok(1)))
        .build()
        .expect("in range");
    assert_eq!(bus.execute_blocking(Counted(Arc::default())), Ok(()));
    let repeats = handles.all().into_iter();
    let repeats: Vec<_> = repeats
        .map(|(name, policy)| (name, policy.repeats()))
        .collect();
    assert_eq!(repeats, [("counted", 1), ("ask", 0)]);
}
