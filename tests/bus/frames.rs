//! A waiting future stays in its place while its dispatch moves, even between threads.

use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context as Task, Poll, Waker};
use std::thread;

use arcbus::{
    CancelToken, Context, Dispatch, Handler, Message, Outcome, Query, QueryBus, static_bus,
};

use crate::acts::{poll_once, ready};
use crate::support::{drive, panic_of, turns};

/// A message whose handler holds the `T` for a number of turns, and then gives it back.
struct Hold<T>(T, u32);

/// A value that a handler's future holds while waiting, with bytes and an address that can be
/// checked.
trait Held: Send + Sync + 'static {
    const ALIGN: usize;
    fn new() -> Self;
    fn sum(&self) -> u64;
}

impl<const N: usize> Held for [u8; N] {
    const ALIGN: usize = 1;

    fn new() -> Self {
        std::array::from_fn(|index| index as u8)
    }

    fn sum(&self) -> u64 {
        self.iter().map(|byte| u64::from(*byte)).sum()
    }
}

macro_rules! aligned {
    ($($name:ident: $align:literal),*) => {
        $(
            #[repr(align($align))]
            struct $name([u8; $align]);

            impl Held for $name {
                const ALIGN: usize = $align;

                fn new() -> Self {
                    Self(Held::new())
                }

                fn sum(&self) -> u64 {
                    self.0.sum()
                }
            }
        )*
    };
}

aligned!(Aligned16: 16, Aligned64: 64, Aligned128: 128, Aligned4096: 4096);

impl<T: Held> Message for Hold<T> {
    const NAME: &'static str = "hold";
    type Kind = Query;
    type Reply = Seen<T>;
    type Error = String;
}

/// The value, with its address at each poll.
struct Seen<T> {
    held: T,
    places: Vec<usize>,
}

struct Holder;

impl<T: Held> Handler<Hold<T>> for Holder {
    async fn handle(&self, msg: Hold<T>, _cx: &Context<'_>) -> Result<Seen<T>, String> {
        let held = msg.0;
        let place = || std::ptr::from_ref(&held).addr();
        let mut places = vec![place()];
        for _ in 0..msg.1 {
            turns(1).await;
            places.push(place());
        }
        Ok(Seen { held, places })
    }
}

fn bus<T: Held>() -> QueryBus {
    QueryBus::builder()
        .register::<Hold<T>, _>(Holder)
        .build()
        .expect("one name")
}

fn check<T: Held>(outcome: Outcome<Hold<T>>) {
    let Seen { held, places } = outcome.expect("it answers");
    assert_eq!(held.sum(), T::new().sum());
    assert!(places.iter().all(|place| *place == places[0]), "it moved");
    assert_eq!(places[0] % T::ALIGN, 0);
}

/// Polls a dispatch until it is done, and moves the dispatch to another thread for each poll.
fn on_many_threads<M: Message>(
    mut dispatch: impl Future<Output = Outcome<M>> + Send + Unpin,
) -> Outcome<M> {
    loop {
        let polled = thread::scope(|scope| {
            let moved = dispatch;
            let poll = move || {
                let mut moved = moved;
                let polled = poll_once(Pin::new(&mut moved));
                (moved, polled)
            };
            scope.spawn(poll).join().expect("no panic")
        });
        dispatch = polled.0;
        if let Poll::Ready(outcome) = polled.1 {
            return outcome;
        }
    }
}

fn stays_where_it_is<T: Held>() {
    let bus = bus::<T>();
    for turns in [0, 3] {
        let hold = || Hold(T::new(), turns);
        check::<T>(bus.execute_blocking(hold()));
        check::<T>(drive(bus.execute(hold())).0);
        check::<T>(on_many_threads::<Hold<T>>(bus.execute(hold())));
        let cx = Context::new().with("a value");
        check::<T>(on_many_threads::<Hold<T>>(bus.execute_with(hold(), cx)));
        let mut local = bus.local();
        check::<T>(on_many_threads::<Hold<T>>(local.execute(hold())));
        let mut route = bus.route::<Hold<T>>().expect("registered");
        check::<T>(on_many_threads::<Hold<T>>(route.execute(hold())));
    }
}

#[test]
fn a_future_of_any_size_stays_in_place_and_its_reply_arrives_whole() {
    stays_where_it_is::<[u8; 0]>();
    stays_where_it_is::<[u8; 100]>();
    stays_where_it_is::<[u8; 600]>();
    stays_where_it_is::<[u8; 3000]>();
    stays_where_it_is::<[u8; 5000]>();
    stays_where_it_is::<[u8; 20_000]>();
}

#[test]
fn a_future_of_any_alignment_stays_in_place() {
    stays_where_it_is::<Aligned16>();
    stays_where_it_is::<Aligned64>();
    stays_where_it_is::<Aligned128>();
    stays_where_it_is::<Aligned4096>();
}

static_bus! {
    struct Fixed: Query {
        hold: Hold<Aligned64> => Holder,
    }
}

#[test]
fn a_static_bus_moves_between_threads_too() {
    let fixed = Fixed::new(Holder);
    let dispatch = Box::pin(fixed.execute(Hold(Aligned64::new(), 3)));
    check::<Aligned64>(on_many_threads::<Hold<Aligned64>>(dispatch));
}

#[test]
fn many_waiting_futures_do_not_share_memory() {
    let bus = bus::<[u8; 300]>();
    let mut waiting: Vec<_> = (0..40).map(|_| bus.execute(Hold([0; 300], 3))).collect();
    let mut others: Vec<_> = (0..40).map(|_| bus.execute(Hold(Held::new(), 3))).collect();
    for _ in 0..3 {
        for dispatch in waiting.iter_mut().chain(&mut others) {
            assert!(poll_once(Pin::new(dispatch)).is_pending());
        }
    }
    let mut places = Vec::new();
    for (dispatch, sum) in waiting.into_iter().map(|dispatch| (dispatch, 0)).chain(
        others
            .into_iter()
            .map(|dispatch| (dispatch, Held::sum(&<[u8; 300]>::new()))),
    ) {
        let seen = ready(dispatch).expect("done").expect("it answers");
        assert_eq!(seen.held.sum(), sum);
        places.push(seen.places[0]);
    }
    places.sort_unstable();
    assert!(places.windows(2).all(|two| two[1] - two[0] >= 300));
}

/// Polls an ended dispatch once more, and returns the text of its panic.
fn again(mut dispatch: impl Future + Unpin, polls: usize) -> String {
    for _ in 1..polls {
        assert!(poll_once(Pin::new(&mut dispatch)).is_pending());
    }
    assert!(poll_once(Pin::new(&mut dispatch)).is_ready());
    panic_of(|| poll_once(Pin::new(&mut dispatch)).is_ready())
}

#[test]
fn polling_again_after_the_end_panics_with_a_clear_text() {
    const TEXT: &str = "a dispatch was polled after completion";
    let bus = bus::<[u8; 1]>();
    let empty = QueryBus::builder().build().expect("empty");
    let token = CancelToken::new();
    token.cancel();
    let cancelled = Context::new().cancel_on(token);
    assert_eq!(again(bus.execute(Hold([0], 3)), 4), TEXT);
    assert_eq!(again(bus.local().execute(Hold([0], 3)), 4), TEXT);
    assert_eq!(again(empty.execute(Hold([0], 3)), 1), TEXT);
    assert_eq!(again(bus.execute_with(Hold([0], 3), cancelled), 1), TEXT);
    let at_once = crate::messages::answering();
    assert_eq!(again(at_once.execute(crate::messages::answered()), 1), TEXT);
}

/// The addresses of futures at their drop.
type Dropped = Arc<Mutex<Vec<usize>>>;

struct NotesItsPlace(Dropped);

impl Drop for NotesItsPlace {
    fn drop(&mut self) {
        let place = std::ptr::from_ref(self).addr();
        self.0.lock().expect("no panic").push(place);
    }
}

struct Leave;

impl Message for Leave {
    const NAME: &'static str = "leave";
    type Kind = Query;
    type Reply = ();
    type Error = String;
}

struct Leaver(Dropped);

impl Handler<Leave> for Leaver {
    async fn handle(&self, _msg: Leave, _cx: &Context<'_>) -> Result<(), String> {
        let here = NotesItsPlace(Arc::clone(&self.0));
        self.0
            .lock()
            .expect("no panic")
            .push(std::ptr::from_ref(&here).addr());
        std::future::pending().await
    }
}

/// Drops a pending dispatch on another thread than the one that polled it.
fn left(mut handle: impl Dispatch<Leave> + Send, dropped: &Dropped) {
    let mut dispatch = Box::pin(handle.execute(Leave));
    let mut task = Task::from_waker(Waker::noop());
    assert!(dispatch.as_mut().poll(&mut task).is_pending());
    thread::scope(|scope| scope.spawn(|| drop(dispatch)).join().expect("no panic"));
    let places = std::mem::take(&mut *dropped.lock().expect("no panic"));
    assert_eq!(places, [places[0]; 2], "dropped once, where it was");
}

#[test]
fn a_future_is_dropped_in_place_on_any_thread() {
    let dropped = Dropped::default();
    let bus = QueryBus::builder()
        .register(Leaver(Arc::clone(&dropped)))
        .build()
        .expect("one name");
    left(&bus, &dropped);
    left(bus.local(), &dropped);
    left(bus.route::<Leave>().expect("registered"), &dropped);
    // The next dispatch can use the memory of the dropped one.
    let mut next = pin!(bus.execute(Leave));
    assert!(poll_once(next.as_mut()).is_pending());
}
