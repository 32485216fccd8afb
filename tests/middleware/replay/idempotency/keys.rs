//! Idempotency keys: their scope, the time for which they are kept, and their largest number.

use arcbus::middleware::idempotency::{IdempotencyAnswer, Room};
use arcbus::middleware::{Idempotency, IdempotencyKey, RateLimit};
use arcbus::{
    Command, CommandBus, Context, Error, FakeClock, Message, Rejection, RejectionKind, Source,
    from_fn, guard,
};

use super::pay::{HOUR, NANO, Pay, Payments, Run, SECOND, Shop, failed, is_conflict, keyed};
use crate::acts::{each_lane, each_lane_with, layers};

#[test]
fn a_duplicate_gets_the_first_reply_in_both_lanes_with_its_source() {
    for awaited_first in [false, true] {
        let shop = Shop::new();
        let first = match awaited_first {
            true => shop.pay_awaited("a", 5),
            false => shop.pay("a", 5),
        };
        assert_eq!(first, Ok(1));
        assert_eq!(shop.pays("a", 5), [Ok(1), Ok(1)]);
        assert_eq!(shop.runs(), 1);
        let sources = [Source::Handler, Source::Replay, Source::Replay];
        assert_eq!(shop.sources(), sources);
    }
}

#[test]
fn each_key_has_its_own_run() {
    let shop = Shop::new();
    assert_eq!(shop.pays("a", 5), [Ok(1), Ok(1)]);
    assert_eq!(shop.pays("b", 5), [Ok(2), Ok(2)]);
    assert_eq!(shop.pays(" a", 5), [Ok(3), Ok(3)]);
}

/// Another command, which shares its keys with no other.
#[derive(Clone, Hash)]
struct Refund;

impl Message for Refund {
    const NAME: &'static str = "refund";
    type Kind = Command;
    type Reply = &'static str;
    type Error = String;
}

#[test]
fn an_equal_key_of_another_message_is_another_key() {
    let idempotency = Idempotency::in_memory(HOUR);
    let rooms = idempotency.rooms();
    let bus = CommandBus::builder()
        .layer(idempotency)
        .register(Payments::default())
        .register(from_fn(|_: Refund, _: &Context<'_>| Ok("refunded")))
        .build()
        .expect("in range");
    assert_eq!(each_lane_with(&bus, Pay(5), &keyed("a")), [Ok(1), Ok(1)]);
    let refunds = each_lane_with(&bus, Refund, &keyed("a"));
    assert_eq!(refunds, [Ok("refunded"), Ok("refunded")]);
    let taken = |name| rooms.get(name).as_deref().map(Room::taken);
    assert_eq!((taken("pay"), taken("refund")), (Some(1), Some(1)));
}

/// A command that looks like [`Pay`], with equal contents and an equal reply.
#[derive(Clone, Hash)]
struct PayBack(u32);

impl Message for PayBack {
    const NAME: &'static str = "pay back";
    type Kind = Command;
    type Reply = u32;
    type Error = String;
}

#[test]
fn similar_messages_have_their_own_keys_and_do_not_wait_for_each_other() {
    let idempotency = Idempotency::in_memory(HOUR);
    let rooms = idempotency.rooms();
    let (payments, done) = (Payments::default(), arcbus::CancelToken::new());
    payments.script([Run::after(&done, Run::Answer)]);
    let bus = CommandBus::builder()
        .layer(idempotency)
        .register(payments)
        .register(from_fn(|msg: PayBack, _: &Context<'_>| Ok(100 + msg.0)))
        .build()
        .expect("in range");
    let mut paid = Box::pin(bus.execute_with(Pay(5), keyed("a")));
    assert!(crate::acts::poll_once(paid.as_mut()).is_pending());
    let paid_back = Box::pin(bus.execute_with(PayBack(5), keyed("a")));
    assert_eq!(crate::acts::ready(paid_back), Some(Ok(105)));
    done.cancel();
    assert_eq!(crate::acts::ready(paid), Some(Ok(1)));
    assert_eq!(each_lane_with(&bus, Pay(5), &keyed("a")), [Ok(1), Ok(1)]);
    let paid_back = each_lane_with(&bus, PayBack(5), &keyed("a"));
    assert_eq!(paid_back, [Ok(105), Ok(105)]);
    let taken = |name| rooms.get(name).as_deref().map(Room::taken);
    assert_eq!((taken("pay"), taken("pay back")), (Some(1), Some(1)));
}

#[test]
fn another_payload_is_refused_with_message_and_key() {
    let shop = Shop::new();
    assert_eq!(shop.pay("a1", 5), Ok(1));
    for refused in shop.pays("a1", 6) {
        let Err(Error::Rejected(rejection)) = refused else {
            panic!("{refused:?}");
        };
        assert_eq!(rejection.kind(), RejectionKind::Conflict);
        let text = rejection.to_string();
        assert!(text.contains("\"a1\"") && text.contains("'pay'"), "{text}");
    }
    assert_eq!(shop.pays("a1", 5), [Ok(1), Ok(1)]);
    assert_eq!(shop.runs(), 1);
}

#[test]
fn a_run_that_ended_in_a_plain_error_runs_again() {
    let shop = Shop::new();
    shop.payments.script([Run::Fail, Run::Fail]);
    assert_eq!(shop.pays("a", 5), [failed(), failed()]);
    assert_eq!(
        shop.pays("a", 6),
        [Ok(3), Ok(3)],
        "also with other contents"
    );
}

#[test]
fn a_run_that_an_inner_layer_refused_runs_again() {
    let shop = Shop::new();
    for invalid in shop.pays("a", 0) {
        assert!(invalid.expect_err("nothing to pay").is_invalid());
    }
    assert_eq!((shop.pay("a", 5), shop.runs()), (Ok(1), 1));

    let limited = Shop::inside(Idempotency::in_memory(HOUR), |builder| {
        builder.layer(RateLimit::new(1, SECOND).burst(1))
    });
    assert_eq!(limited.pay("a", 5), Ok(1));
    for refused in limited.pays("b", 5) {
        assert!(refused.expect_err("too many").is_rate_limited());
    }
    limited.clock.advance(SECOND);
    assert_eq!(limited.pays("b", 5), [Ok(2), Ok(2)]);
    assert_eq!(limited.pay("a", 5), Ok(1), "a replay costs no token");

    let closed = Shop::inside(Idempotency::in_memory(HOUR), |builder| {
        let refuse = |_: &Pay, _: &Context<'_>| Err::<(), _>(Rejection::new("closed"));
        builder.wrap(guard(refuse))
    });
    for refused in closed.pays("a", 5) {
        assert_eq!(refused, Err(Rejection::new("closed").into()));
    }
}

#[test]
fn a_window_counts_from_the_beginning_of_the_run() {
    let shop = Shop::new();
    let done = arcbus::CancelToken::new();
    shop.payments.script([Run::after(&done, Run::Answer)]);
    let mut first = shop.pending("a", 5);
    shop.clock.advance(HOUR / 2);
    done.cancel();
    assert_eq!(first.poll(), Some(Ok(1)));
    shop.clock.advance(HOUR / 2 - NANO);
    assert_eq!(shop.pays("a", 5), [Ok(1), Ok(1)]);
    assert!(is_conflict(&shop.pay("a", 6)));
    shop.clock.advance(NANO);
    assert_eq!(shop.pays("a", 6), [Ok(2), Ok(2)]);
}

#[test]
fn a_run_that_outlives_its_window_is_awaited_and_changes_no_later_run() {
    let shop = Shop::new();
    let done = arcbus::CancelToken::new();
    shop.payments.script([Run::after(&done, Run::Answer)]);
    let mut first = shop.pending("a", 5);
    shop.clock.advance(HOUR);
    let mut second = shop.pending("a", 5);
    assert_eq!(shop.pay("a", 6), Ok(2), "the window is over");
    done.cancel();
    assert_eq!((first.poll(), second.poll()), (Some(Ok(1)), Some(Ok(1))));
    assert_eq!(shop.pays("a", 6), [Ok(2), Ok(2)]);
    assert!(is_conflict(&shop.pay("a", 5)));
}

/// Builds a shop with room for `capacity` keys.
fn shop_with_room(capacity: usize) -> (Shop, std::sync::Arc<Room>) {
    let idempotency = Idempotency::in_memory(HOUR).capacity(capacity);
    let rooms = idempotency.rooms();
    let shop = Shop::with(idempotency);
    (shop, rooms.get("pay").expect("registered"))
}

#[test]
fn a_full_store_refuses_new_keys_and_keeps_old_keys() {
    const KEYS: usize = 100;
    let (shop, room) = shop_with_room(KEYS);
    let key = |n: usize| format!("key {n}");
    for n in 0..KEYS {
        assert_eq!(shop.pay(&key(n), 5), Ok(n as u32 + 1));
        shop.clock.advance(SECOND);
    }
    let full = || Err(Error::Overloaded { limit: KEYS });
    assert_eq!(shop.pays("new", 5), [full(), full()]);
    for n in 0..KEYS {
        assert_eq!(shop.pay(&key(n), 5), Ok(n as u32 + 1));
    }
    assert_eq!((shop.runs(), room.taken()), (KEYS as u32, KEYS));

    // The first key is past its window, so one new key takes its place, but no second one.
    shop.clock.advance(HOUR - KEYS as u32 * SECOND);
    assert_eq!(shop.pays("new", 5), [Ok(101), Ok(101)]);
    assert_eq!(shop.pay("newer", 5), full());
    assert_eq!(shop.pay(&key(1), 5), Ok(2));
    assert_eq!(room.taken(), KEYS);
}

#[test]
fn a_forgotten_key_makes_room() {
    let (shop, room) = shop_with_room(1);
    shop.payments.script([Run::Fail]);
    assert_eq!(shop.pay("a", 5), failed());
    assert_eq!(room.taken(), 0);
    assert_eq!(shop.pay("b", 5), Ok(2));
    assert_eq!((room.taken(), room.capacity()), (1, 1));
}

#[test]
fn many_failed_runs_leave_nothing_behind() {
    let (shop, room) = shop_with_room(2);
    shop.payments.script(vec![Run::Fail; 1000]);
    for n in 0..1000 {
        assert_eq!(shop.pay(&format!("{n}"), 5), failed());
    }
    assert_eq!(room.taken(), 0);
    assert_eq!(shop.pays("a", 5), [Ok(1001), Ok(1001)]);
}

#[test]
fn a_message_without_a_key_runs_each_time_unless_a_key_is_required() {
    let shop = Shop::new();
    assert_eq!(each_lane(&shop.bus, Pay(5)), [Ok(1), Ok(2)]);
    assert_eq!(shop.clock.reads(), 0);
    assert_eq!(shop.sources(), [Source::Handler; 2]);

    let strict = Shop::with(Idempotency::in_memory(HOUR).require_key());
    for refused in each_lane(&strict.bus, Pay(5)) {
        let text = refused.expect_err("no key").to_string();
        assert!(text.contains("'pay' needs an idempotency key"), "{text}");
    }
    assert_eq!(strict.runs(), 0);
    assert_eq!(strict.pays("a", 5), [Ok(1), Ok(1)]);
}

#[test]
fn a_closure_finds_the_key_in_the_message() {
    let by_payload = Idempotency::in_memory(HOUR)
        .require_key()
        .capacity(9)
        .key(|msg: &Pay, _: &Context<'_>| (msg.0 > 1).then(|| msg.0.to_string().into()));
    let rooms = by_payload.rooms();
    let shop = Shop::with(by_payload);
    assert_eq!(each_lane(&shop.bus, Pay(5)), [Ok(1), Ok(1)]);
    assert_eq!(each_lane(&shop.bus, Pay(6)), [Ok(2), Ok(2)]);
    assert_eq!(shop.pay("in the context", 6), Ok(2));
    assert!(shop.pay("in the context", 1).is_err());
    assert_eq!(rooms.get("pay").expect("registered").capacity(), 9);
}

#[test]
fn a_replaced_handler_does_not_make_a_duplicate_run_again() {
    let idempotency = Idempotency::in_memory(HOUR);
    let (bus, registrar) = CommandBus::builder()
        .layer(idempotency)
        .open()
        .expect("empty");
    let (old, new) = (Payments::default(), Payments::default());
    registrar.must_register(old.clone());
    let pay = || each_lane_with(&bus, Pay(5), &keyed("a"));
    assert_eq!(pay(), [Ok(1), Ok(1)]);
    let _ = registrar.replace(new.clone()).expect("registered");
    assert_eq!(pay(), [Ok(1), Ok(1)]);
    let _ = registrar.deregister::<Pay>().expect("registered");
    registrar.must_register(new.clone());
    assert_eq!(pay(), [Ok(1), Ok(1)]);
    assert_eq!((old.runs(), new.runs()), (1, 0));
}

#[test]
fn a_run_of_a_replaced_handler_is_awaited() {
    let (bus, registrar) = CommandBus::builder()
        .layer(Idempotency::in_memory(HOUR))
        .open()
        .expect("empty");
    let (old, new) = (Payments::default(), Payments::default());
    let done = arcbus::CancelToken::new();
    old.script([Run::after(&done, Run::Answer)]);
    registrar.must_register(old);
    let mut first = Box::pin(bus.execute_with(Pay(5), keyed("a")));
    assert!(crate::acts::poll_once(first.as_mut()).is_pending());
    let _retired = registrar.replace(new.clone()).expect("registered");
    let mut second = Box::pin(bus.execute_with(Pay(5), keyed("a")));
    assert!(crate::acts::poll_once(second.as_mut()).is_pending());
    done.cancel();
    assert_eq!(crate::acts::ready(first), Some(Ok(1)));
    assert_eq!((crate::acts::ready(second), new.runs()), (Some(Ok(1)), 0));
}

#[test]
fn clones_of_a_layer_share_their_records_and_other_layers_do_not() {
    let layer = Idempotency::in_memory(HOUR);
    let one = Shop::with(layer.clone());
    let two = Shop::inside(layer, |builder| builder.clock(one.clock.clone()));
    let other = Shop::with(Idempotency::in_memory(HOUR));
    one.payments.script([Run::Answer, Run::Fail]);
    assert_eq!(one.pay("a", 5), Ok(1));
    assert_eq!((two.pay("a", 5), two.runs()), (Ok(1), 0));
    assert_eq!((other.pay("a", 5), other.runs()), (Ok(1), 1));
}

#[test]
fn an_absent_layer_remembers_nothing() {
    let shop = Shop::with(None::<Idempotency>);
    assert_eq!(shop.pays("a", 5), [Ok(1), Ok(2)]);
    assert_eq!(layers(&shop.bus), ["Sources"]);
    let shop = Shop::with(Some(Idempotency::in_memory(HOUR)));
    assert_eq!(shop.pays("a", 5), [Ok(1), Ok(1)]);
    assert_eq!(layers(&shop.bus), ["Sources", "Idempotency"]);
}

#[test]
fn settings_out_of_range_are_refused() {
    let field = |layer: Idempotency| {
        let bus = CommandBus::builder().layer(layer);
        let built = bus.register(Payments::default()).build();
        built.map(drop).expect_err("out of range").to_string()
    };
    for window in [std::time::Duration::ZERO, std::time::Duration::MAX] {
        let error = field(Idempotency::in_memory(window));
        assert!(error.contains("`Idempotency.window`"), "{error}");
    }
    let error = field(Idempotency::in_memory(HOUR).capacity(0));
    assert!(error.contains("`Idempotency.capacity`"), "{error}");
    let longest = std::time::Duration::from_nanos(u64::MAX - 1);
    let shop = Shop::with(Idempotency::in_memory(longest));
    shop.clock.advance(HOUR);
    assert_eq!(shop.pays("a", 5), [Ok(1), Ok(1)]);
}

#[test]
fn each_key_costs_one_reading_of_the_clock() {
    let shop = Shop::new();
    assert_eq!(shop.pay("a", 5), Ok(1));
    assert_eq!(shop.clock.reads(), 1);
    assert_eq!(shop.pay("a", 5), Ok(1));
    assert_eq!(shop.clock.reads(), 2);
    let _: FakeClock = shop.clock;
}

#[test]
fn idempotency_types_are_send_sync_and_debug() {
    fn is_all<T: Send + Sync + std::fmt::Debug>() {}
    is_all::<Idempotency>();
    is_all::<IdempotencyKey>();
    is_all::<IdempotencyAnswer<Pay, arcbus::middleware::idempotency::MemoryStore<u32>, ()>>();
    is_all::<arcbus::middleware::idempotency::MemoryStore<u32>>();
    is_all::<Room>();
}
