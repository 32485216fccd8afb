//! Models of the flights of a cache. Each key has one run at a time, and no caller waits for a run in vain. A
//! detached run publishes nothing.
#![cfg(arcbus_loom)]

use std::mem::{ManuallyDrop, forget};
use std::task::Poll;

use arcbus::__model::{Airport, Boarding, Lead, Parking, Wait, Waited};
use arcbus_loom::{Payload, Seen, explore, explore_bounded};
use loom::sync::atomic::AtomicUsize;
use loom::sync::atomic::Ordering::{Relaxed, SeqCst};
use loom::sync::{Arc, Mutex};
use loom::thread;

const KEY: u64 = 7;

/// The value that a run makes, which is the number of the run. The payload shows whether the write of the run
/// is visible.
type Made = std::sync::Arc<Payload>;

/// The flights of one key and the place where they publish, a stand-in for the store of the cache.
struct Shelf {
    airport: Airport<Made>,
    kept: Mutex<Option<Made>>,
    runs: AtomicUsize,
}

/// Leaks a shelf, so that threads can share the shelf and its borrows.
fn shelf() -> &'static Shelf {
    Box::leak(Box::new(Shelf {
        airport: Airport::new(),
        kept: Mutex::new(None),
        runs: AtomicUsize::new(0),
    }))
}

impl Shelf {
    fn kept(&self) -> Option<Made> {
        self.kept.lock().unwrap().clone()
    }

    fn join(&'static self) -> Result<Boarding<'static, Made>, Made> {
        self.airport.join(KEY, || self.kept())
    }

    fn run(&self, lead: Lead<'_, Made>) -> usize {
        let run = self.runs.fetch_add(1, Relaxed) + 1;
        self.land(lead, run);
        run
    }

    fn land(&self, lead: Lead<'_, Made>, value: usize) -> bool {
        let made = Made::new(Payload::new(value));
        let publish = || *self.kept.lock().unwrap() = Some(made.clone());
        lead.land(publish, || made.clone())
    }

    fn leads(&'static self) -> Lead<'static, Made> {
        match self.join() {
            Ok(Boarding::Leads(lead)) => lead,
            _ => panic!("nobody else asks"),
        }
    }

    fn waits(&'static self) -> Wait<'static, Made> {
        match self.join() {
            Ok(Boarding::Waits(wait)) => wait,
            _ => panic!("somebody leads"),
        }
    }
}

/// Counts of the ways in which a caller came to its value.
#[derive(Default)]
struct Ways {
    led: Seen,
    waited: Seen,
    found: Seen,
    took_over: Seen,
}

impl Ways {
    const fn new() -> Self {
        Self {
            led: Seen::new(),
            waited: Seen::new(),
            found: Seen::new(),
            took_over: Seen::new(),
        }
    }
}

/// Waits on this thread. A wait that ended holds no resources, so the drop is skipped. A wait that never ends
/// must not be dropped while the model ends, because `loom` does not survive that drop.
fn wait(wait: Wait<'static, Made>) -> Waited<'static, Made> {
    let mut wait = ManuallyDrop::new(wait);
    let parking = Parking::new();
    let waker = parking.waker();
    loop {
        if let Poll::Ready(waited) = wait.poll(&waker) {
            return waited;
        }
        parking.park();
    }
}

/// Returns the value, whichever way the caller came to it.
fn ask(shelf: &'static Shelf, ways: &Ways) -> usize {
    match shelf.join() {
        Ok(Boarding::Leads(lead)) => {
            ways.led.count(true);
            shelf.run(lead)
        }
        Ok(Boarding::Waits(waits)) => end(shelf, waits, ways),
        Err(found) => {
            ways.found.count(true);
            found.get()
        }
    }
}

fn end(shelf: &'static Shelf, waits: Wait<'static, Made>, ways: &Ways) -> usize {
    match wait(waits) {
        Waited::Landed(value) => {
            ways.waited.count(true);
            value.get()
        }
        Waited::Leads(lead) => {
            ways.took_over.count(true);
            shelf.run(lead)
        }
    }
}

#[test]
fn who_joins_while_another_lands_gets_its_value() {
    static WAYS: Ways = Ways::new();
    let states = [
        ("led", &WAYS.led),
        ("waited", &WAYS.waited),
        ("found it landed", &WAYS.found),
    ];
    explore("flights, joining", 3, states, || {
        let shelf = shelf();
        let other = thread::spawn(move || ask(shelf, &WAYS));
        let values = (ask(shelf, &WAYS), other.join().unwrap());
        assert_eq!((values, shelf.runs.load(Relaxed)), ((1, 1), 1));
        assert_eq!(shelf.airport.in_the_air(), 0);
    });
}

/// Three callers ask, of which two may wait together. The model always has a bound, because its orders are
/// too many to run them all.
#[test]
fn all_who_wait_get_the_one_value() {
    static WAYS: Ways = Ways::new();
    static BOTH: Seen = Seen::new();
    let states = [("both waited", &BOTH), ("found it landed", &WAYS.found)];
    explore_bounded("flights, two who wait", 3, states, || {
        let shelf = shelf();
        let lead = shelf.leads();
        let before = WAYS.waited.times();
        let others = [(); 2].map(|()| thread::spawn(move || ask(shelf, &WAYS)));
        assert_eq!(shelf.run(lead), 1);
        for other in others {
            assert_eq!(other.join().unwrap(), 1);
        }
        BOTH.count(WAYS.waited.times() == before + 2);
        assert_eq!(shelf.airport.in_the_air(), 0);
    });
}

/// The mistake: the leader does not check whether a value has landed since.
#[test]
#[should_panic(expected = "two runs")]
fn a_run_is_made_twice_by_who_does_not_look_again() {
    static WAYS: Ways = Ways::new();
    explore_bounded("flights, no second look", 2, [], || {
        let shelf = shelf();
        let blind = move || match shelf.airport.join(KEY, || None::<()>) {
            Ok(Boarding::Leads(lead)) => shelf.run(lead),
            Ok(Boarding::Waits(waits)) => end(shelf, waits, &WAYS),
            Err(()) => unreachable!(),
        };
        let other = thread::spawn(blind);
        blind();
        other.join().unwrap();
        assert_eq!(shelf.runs.load(Relaxed), 1, "two runs");
    });
}

/// Makes the leader give up, as a failure or a dropped dispatch does, while two other callers ask.
fn gives_up(ways: &'static Ways, give_up: fn(Lead<'static, Made>)) {
    let shelf = shelf();
    let lead = shelf.leads();
    let others = [(); 2].map(|()| thread::spawn(move || ask(shelf, ways)));
    give_up(lead);
    for other in others {
        assert_eq!(other.join().unwrap(), 1);
    }
    assert_eq!(shelf.airport.in_the_air(), 0);
}

#[test]
fn when_a_leader_gives_up_the_next_takes_over() {
    static WAYS: Ways = Ways::new();
    let states = [
        ("nobody waited", &WAYS.led),
        ("one that waited took over", &WAYS.took_over),
        ("the other waited on", &WAYS.waited),
    ];
    explore_bounded("flights, giving up", 3, states, || gives_up(&WAYS, drop));
}

#[test]
#[should_panic(expected = "deadlock")]
fn who_waits_is_stranded_by_a_leader_that_does_not_give_up() {
    static WAYS: Ways = Ways::new();
    explore_bounded("flights, stranded", 2, [], || gives_up(&WAYS, forget));
}

/// Makes one waiter leave while the leader gives up, and the other waiter stay.
fn leaves(named: &'static Seen, before: &'static Seen, leave: fn(Wait<'static, Made>)) {
    static WAYS: Ways = Ways::new();
    let shelf = shelf();
    let lead = shelf.leads();
    let (leaving, staying) = (shelf.waits(), shelf.waits());
    let gave_up = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&gave_up);
    let left = thread::spawn(move || {
        let was_named = seen.load(SeqCst) == 1;
        named.count(was_named);
        before.count(!was_named);
        leave(leaving);
    });
    let stayed = thread::spawn(move || end(shelf, staying, &WAYS));
    drop(lead);
    gave_up.store(1, SeqCst);
    left.join().unwrap();
    assert_eq!(stayed.join().unwrap(), 1);
    assert_eq!(shelf.airport.in_the_air(), 0);
}

#[test]
fn one_that_leaves_when_it_is_named_names_the_next() {
    static NAMED: Seen = Seen::new();
    static BEFORE: Seen = Seen::new();
    let states = [("named", &NAMED), ("not yet", &BEFORE)];
    explore("flights, leaving", 3, states, || {
        leaves(&NAMED, &BEFORE, drop);
    });
}

#[test]
#[should_panic(expected = "deadlock")]
fn the_next_is_stranded_by_one_that_was_named_and_forgot() {
    static ANY: Seen = Seen::new();
    explore_bounded("flights, forgetting", 2, [], || {
        leaves(&ANY, &ANY, forget);
    });
}

/// A leader leaves while its run is under way; of two that wait one leaves, too, and the other takes the run
/// over.
fn hands_over(seen: &'static HandedOver, leave: fn(Lead<'static, Made>)) {
    let shelf = shelf();
    let mut lead = shelf.leads();
    let (leaving, staying) = (shelf.waits(), shelf.waits());
    lead.keep_run(Made::new(Payload::new(7)));
    let left = thread::spawn(move || drop(leaving));
    let stayed = thread::spawn(move || match wait(staying) {
        Waited::Landed(_) => unreachable!("nobody else lands"),
        Waited::Leads(mut lead) => {
            let run = lead.take_run().expect("the run was lost");
            seen.in_one_piece.count(true);
            assert!(shelf.land(lead, run.get()));
        }
    });
    leave(lead);
    left.join().unwrap();
    stayed.join().unwrap();
    assert_eq!(shelf.kept().map(|kept| kept.get()), Some(7));
    assert_eq!(shelf.airport.in_the_air(), 0);
}

struct HandedOver {
    in_one_piece: Seen,
}

#[test]
fn a_run_is_handed_to_one_that_stays() {
    static SEEN: HandedOver = HandedOver {
        in_one_piece: Seen::new(),
    };
    let states = [("taken over", &SEEN.in_one_piece)];
    explore("flights, handing over", 3, states, || {
        hands_over(&SEEN, drop);
    });
}

#[test]
#[should_panic(expected = "the run was lost")]
fn a_run_is_lost_by_a_leader_that_does_not_hand_it_on() {
    static SEEN: HandedOver = HandedOver {
        in_one_piece: Seen::new(),
    };
    explore_bounded("flights, a lost run", 2, [], || {
        hands_over(&SEEN, |mut lead| {
            drop(lead.take_run());
            drop(lead);
        });
    });
}

/// The leader and the one that waits both leave: the run ends with the last of them.
fn all_leave(named: &'static Seen, before: &'static Seen, leave: fn(Wait<'static, Made>)) {
    let shelf = shelf();
    let run = Made::new(Payload::new(7));
    let mut lead = shelf.leads();
    let leaving = shelf.waits();
    lead.keep_run(Made::clone(&run));
    let gave_up = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&gave_up);
    let left = thread::spawn(move || {
        let was_named = seen.load(SeqCst) == 1;
        named.count(was_named);
        before.count(!was_named);
        leave(leaving);
    });
    drop(lead);
    gave_up.store(1, SeqCst);
    left.join().unwrap();
    assert_eq!(
        std::sync::Arc::strong_count(&run),
        1,
        "it goes on for nobody"
    );
    assert_eq!(shelf.airport.in_the_air(), 0);
}

#[test]
fn a_run_ends_when_the_last_leaves() {
    static NAMED: Seen = Seen::new();
    static BEFORE: Seen = Seen::new();
    let states = [("named", &NAMED), ("not yet", &BEFORE)];
    explore("flights, all leave", 3, states, || {
        all_leave(&NAMED, &BEFORE, drop);
    });
}

#[test]
#[should_panic(expected = "it goes on for nobody")]
fn a_run_goes_on_for_one_that_was_named_and_forgot() {
    static ANY: Seen = Seen::new();
    explore_bounded("flights, a run for nobody", 2, [], || {
        all_leave(&ANY, &ANY, forget);
    });
}

/// Runs a reader while a command changes the data and invalidates the key. A caller that asks after the
/// command must not see older data.
fn invalidate(seen: &'static Invalidated, command: fn(&'static Shelf), land: Land) {
    let shelf = shelf();
    let data = Arc::new(AtomicUsize::new(1));
    let read = move |data: &AtomicUsize| match shelf.join() {
        Ok(Boarding::Leads(lead)) => {
            let value = data.load(SeqCst);
            seen.detached.count(!land(shelf, lead, value));
            value
        }
        Ok(Boarding::Waits(waits)) => match wait(waits) {
            Waited::Landed(value) => value.get(),
            Waited::Leads(_) => unreachable!("nobody gives up"),
        },
        Err(found) => {
            seen.found.count(true);
            found.get()
        }
    };
    let other = Arc::clone(&data);
    let reader = thread::spawn(move || (read(&other), read(&other)));
    data.store(2, SeqCst);
    command(shelf);
    let after = read(&data);
    assert_eq!(after, 2, "older than the command");
    let (first, second) = reader.join().unwrap();
    seen.older.count(first == 1);
    assert!(first <= second, "back in time");
    assert_eq!(
        shelf.kept().map(|kept| kept.get()),
        Some(2),
        "older is kept"
    );
    assert_eq!(shelf.airport.in_the_air(), 0);
}

type Land = fn(&Shelf, Lead<'_, Made>, usize) -> bool;

struct Invalidated {
    detached: Seen,
    found: Seen,
    older: Seen,
}

impl Invalidated {
    const fn new() -> Self {
        Self {
            detached: Seen::new(),
            found: Seen::new(),
            older: Seen::new(),
        }
    }

    fn states(&'static self) -> [(&'static str, &'static Seen); 3] {
        [
            ("detached in the air", &self.detached),
            ("found what was kept", &self.found),
            ("read before the command", &self.older),
        ]
    }
}

fn take_off(shelf: &Shelf) {
    *shelf.kept.lock().unwrap() = None;
}

#[test]
fn what_was_detached_is_not_published_and_not_joined() {
    static SEEN: Invalidated = Invalidated::new();
    explore("flights, invalidation", 3, SEEN.states(), || {
        let command = |shelf: &'static Shelf| shelf.airport.detach(KEY, || take_off(shelf));
        invalidate(&SEEN, command, Shelf::land);
    });
}

#[test]
fn all_are_detached_before_what_is_kept_is_taken_off() {
    static SEEN: Invalidated = Invalidated::new();
    explore("flights, invalidation of all", 3, SEEN.states(), || {
        let command = |shelf: &'static Shelf| {
            shelf.airport.detach_all();
            take_off(shelf);
        };
        invalidate(&SEEN, command, Shelf::land);
    });
}

#[test]
#[should_panic(expected = "older")]
fn what_lands_in_between_is_kept_where_the_flight_is_detached_last() {
    static SEEN: Invalidated = Invalidated::new();
    explore_bounded("flights, wrong order", 3, [], || {
        let command = |shelf: &'static Shelf| {
            take_off(shelf);
            shelf.airport.detach_all();
        };
        invalidate(&SEEN, command, Shelf::land);
    });
}

#[test]
#[should_panic(expected = "older")]
fn what_was_detached_is_kept_by_who_publishes_after_the_landing() {
    static SEEN: Invalidated = Invalidated::new();
    explore_bounded("flights, late publication", 3, [], || {
        let command = |shelf: &'static Shelf| shelf.airport.detach(KEY, || take_off(shelf));
        invalidate(&SEEN, command, |shelf, lead, value| {
            let made = Made::new(Payload::new(value));
            let published = lead.land(|| (), || made.clone());
            *shelf.kept.lock().unwrap() = Some(made);
            published
        });
    });
}
