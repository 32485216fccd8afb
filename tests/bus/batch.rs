//! Batches: many messages of one type in a single call.

use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context as Task, Poll};

use arcbus::{
    Command, CommandBus, Context, Error, Handler, Message, NoLayers, Outcome, Registrar, from_fn,
};

use crate::acts::{Act, Actor, Steps, poll_once, ready};
use crate::support::{Wakes, drive, panic_of, turns};

/// Number of messages that a batch dispatches before it yields to other tasks.
const TURN: usize = 64;

type Admin = Registrar<Command, NoLayers>;

fn actors() -> (CommandBus, Steps) {
    let steps = Steps::default();
    let bus = CommandBus::builder()
        .register(Actor(steps.clone()))
        .build()
        .expect("one name");
    (bus, steps)
}

fn answers(count: u32) -> impl Iterator<Item = Act> {
    (0..count).map(Act::Answer)
}

/// Returns the number of messages handled in each poll of a batch of `count` messages.
fn polls(count: u32) -> Vec<usize> {
    let (bus, steps) = actors();
    let (wakes, waker) = Wakes::new();
    let mut task = Task::from_waker(&waker);
    let mut batch = pin!(bus.execute_batch(answers(count)));
    let mut handled = Vec::new();
    loop {
        let woken = wakes.count();
        let polled = batch.as_mut().poll(&mut task);
        handled.push(steps.take().split_whitespace().count());
        match polled {
            Poll::Ready(outcomes) => {
                let expected: Vec<_> = (0..count).map(Ok).collect();
                assert_eq!(outcomes, expected);
                return handled;
            }
            Poll::Pending => assert_eq!(wakes.count(), woken + 1, "it wants to go on"),
        }
    }
}

#[test]
fn a_long_batch_yields_to_other_tasks() {
    for count in [64, 65, 128, 129, 1000] {
        let handled = polls(count);
        assert_eq!(handled.iter().sum::<usize>(), count as usize);
        assert!(
            handled.iter().all(|handled| *handled <= TURN),
            "{handled:?}"
        );
        assert!(handled.len() <= count as usize / TURN + 1, "{handled:?}");
    }
}

#[test]
fn a_short_batch_takes_one_poll() {
    for count in [0, 1, 2, 63] {
        assert_eq!(polls(count), [count as usize]);
    }
}

#[test]
fn an_empty_batch_has_no_outcomes_with_or_without_a_handler() {
    let (bus, _) = actors();
    let empty = CommandBus::builder().build().expect("empty");
    for bus in [bus, empty] {
        assert_eq!(bus.execute_batch_blocking::<Act>([]), []);
        assert_eq!(ready(bus.execute_batch::<Act>([])), Some(Vec::new()));
    }
}

#[test]
fn a_failure_does_not_stop_the_batch() {
    let (bus, _) = actors();
    let acts = [
        Act::Answer(0),
        Act::Fail,
        Act::Panic,
        Act::Invalid,
        Act::Answer(4),
    ];
    let blocking = bus.execute_batch_blocking(acts);
    let awaiting = ready(bus.execute_batch(acts)).expect("nothing waits");
    let expected = acts.map(|act| bus.execute_blocking(act));
    assert_eq!(expected[0], Ok(0));
    assert!(expected[1..4].iter().all(Result::is_err));
    assert_eq!(blocking, expected);
    assert_eq!(awaiting, expected);
}

#[test]
fn without_a_handler_every_message_is_not_found() {
    let bus = CommandBus::builder().build().expect("empty");
    let expected = bus.execute_blocking(Act::Fail).unwrap_err();
    assert!(expected.is_handler_not_found());
    let blocking = bus.execute_batch_blocking(answers(3));
    let awaiting = ready(bus.execute_batch(answers(3))).expect("nothing waits");
    for outcomes in [blocking, awaiting] {
        assert_eq!(outcomes, [0; 3].map(|_| Err(expected.clone())));
    }
}

/// Waits for `self.0` turns, and replies with their number.
struct Turns(u32);

impl Message for Turns {
    const NAME: &'static str = "turns";
    type Kind = Command;
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

#[test]
fn each_message_is_waited_for_before_the_next_begins() {
    let bus = CommandBus::builder()
        .register(Turner)
        .build()
        .expect("one name");
    let waits = [2, 0, 1, 3, 0];
    let (outcomes, polls) = drive(bus.execute_batch(waits.map(Turns)));
    assert_eq!(outcomes, waits.map(Ok));
    assert_eq!(polls, 1 + 6);
    assert_eq!(bus.execute_batch_blocking(waits.map(Turns)), waits.map(Ok));
}

/// Builds a bus whose handler replies 1, and changes the registry at the third message.
fn changes_at_the_third(change: impl Fn(&Admin) + Send + Sync + 'static) -> (CommandBus, Admin) {
    let (bus, registrar) = CommandBus::builder().open().expect("empty");
    let admin = registrar.clone();
    registrar.must_register(from_fn(move |msg: Act, _cx: &Context<'_>| {
        if msg == Act::Answer(2) {
            change(&admin);
        }
        Ok(1)
    }));
    (bus, registrar)
}

fn two(_: Act, _cx: &Context<'_>) -> Result<u32, String> {
    Ok(2)
}

/// Returns the outcomes of two batches of ten, where the first batch makes the change half way.
fn around_a_change(
    awaits: bool,
    change: impl Fn(&Admin) + Send + Sync + 'static,
) -> [Vec<Outcome<Act>>; 2] {
    let (bus, registrar) = changes_at_the_third(change);
    let outcomes = [(); 2].map(|()| match awaits {
        true => ready(bus.execute_batch(answers(10))).expect("nothing waits"),
        false => bus.execute_batch_blocking(answers(10)),
    });
    // The first handler holds its own registry, which must be freed here.
    registrar.reclaim();
    outcomes
}

#[test]
fn a_change_half_way_is_seen_by_the_next_batch() {
    for awaits in [false, true] {
        let replaced = around_a_change(awaits, |admin| {
            let _ = admin.replace(from_fn(two)).expect("registered");
        });
        assert_eq!(replaced, [vec![Ok(1); 10], vec![Ok(2); 10]]);
        let [first, second] = around_a_change(awaits, |admin| {
            let _ = admin.deregister::<Act>().expect("registered");
        });
        assert_eq!(first, vec![Ok(1); 10]);
        assert_eq!(second.len(), 10);
        let gone = |outcome: &Outcome<Act>| matches!(outcome, Err(Error::HandlerNotFound { .. }));
        assert!(second.iter().all(gone));
    }
}

#[test]
fn a_handler_registered_half_way_is_seen_by_the_next_batch() {
    let (bus, registrar) = CommandBus::builder().open().expect("empty");
    let comes = |index| {
        if index == 1 {
            registrar.must_register(from_fn(two));
        }
        Act::Answer(index)
    };
    let outcomes = bus.execute_batch_blocking((0..3).map(comes));
    assert!(outcomes.iter().all(Result::is_err));
    assert_eq!(bus.execute_batch_blocking(answers(3)), vec![Ok(2); 3]);
}

#[test]
fn a_replaced_handler_lives_until_its_batch_ends() {
    let (bus, registrar) = CommandBus::builder()
        .register(Turner)
        .open()
        .expect("one name");
    let batch = bus.execute_batch([0, 1, 0].map(Turns));
    let mut batch = Box::pin(batch);
    assert!(poll_once(batch.as_mut()).is_pending());
    let retired = registrar.replace::<Turns, _>(Turner).expect("registered");
    assert!(!retired.is_drained());
    assert_eq!(ready(batch.as_mut()), Some(vec![Ok(0), Ok(1), Ok(0)]));
    drop(batch);
    assert!(retired.is_drained());
}

/// A message that counts how many of its kind have been dropped.
struct Counted(Arc<Mutex<u32>>);

impl Message for Counted {
    const NAME: &'static str = "counted";
    type Kind = Command;
    type Reply = Counted;
    type Error = String;
}

impl Drop for Counted {
    fn drop(&mut self) {
        *self.0.lock().expect("no panic") += 1;
    }
}

/// A handler that gives the message back after a turn.
struct GivesBack;

impl Handler<Counted> for GivesBack {
    async fn handle(&self, msg: Counted, _cx: &Context<'_>) -> Result<Counted, String> {
        turns(1).await;
        Ok(msg)
    }
}

#[test]
fn a_batch_dropped_half_way_drops_messages_and_replies_once() {
    let bus = CommandBus::builder()
        .register(GivesBack)
        .build()
        .expect("one name");
    for polls in 0..5 {
        let drops = Arc::default();
        let messages: Vec<_> = (0..5).map(|_| Counted(Arc::clone(&drops))).collect();
        let mut batch = Box::pin(bus.execute_batch(messages));
        for _ in 0..polls {
            assert!(poll_once(batch.as_mut()).is_pending());
        }
        assert_eq!(*drops.lock().expect("no panic"), 0);
        drop(batch);
        assert_eq!(*drops.lock().expect("no panic"), 5);
    }
}

#[test]
fn a_panic_of_the_iterator_reaches_the_caller_and_the_bus_goes_on() {
    let (bus, _) = actors();
    let messages = || {
        (0..3).map(|index| match index {
            0 => Act::Answer(0),
            _ => panic!("no more"),
        })
    };
    assert_eq!(
        panic_of(|| bus.execute_batch_blocking(messages())),
        "no more"
    );
    let mut batch = Box::pin(bus.execute_batch(messages()));
    assert_eq!(
        panic_of(|| poll_once(Pin::new(&mut batch)).is_ready()),
        "no more"
    );
    assert_eq!(bus.execute_blocking(Act::Answer(1)), Ok(1));
}
