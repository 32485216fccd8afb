//! Contexts that are passed on from dispatch to dispatch without end.

use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

use arcbus::middleware::{Cache, Cacheable, Coalesce};
use arcbus::{CancelToken, Context, FakeClock, Message, Query, QueryBus, TraceParent, from_fn};

use crate::acts::ready;

const SECOND: Duration = Duration::from_secs(1);

/// A message whose reply is the context of its dispatch, for use by the next one.
struct Hop(u64);

impl Message for Hop {
    const NAME: &'static str = "hop";
    type Kind = Query;
    type Reply = Handed;
    type Error = String;
}

impl Cacheable for Hop {
    type Key = u64;
    fn key(&self) -> &u64 {
        &self.0
    }
}

#[derive(Clone)]
struct Handed(Arc<Context<'static>>);

fn hand_on(_: Hop, cx: &Context<'_>) -> Result<Handed, String> {
    Ok(Handed(Arc::new(cx.detach())))
}

/// Dispatches a hop, in the two lanes by turns.
fn hop(bus: &QueryBus, nth: u64, cx: Context<'_>) -> Context<'static> {
    let handed = match nth % 2 {
        0 => bus.execute_blocking_with(Hop(nth), cx),
        _ => ready(bus.execute_with(Hop(nth), cx)).expect("it does not wait"),
    };
    let Handed(cx) = handed.expect("it answers");
    (*cx).clone()
}

fn hops(bus: &QueryBus, count: u64, first: Context<'static>) -> Context<'static> {
    (0..count).fold(first, |cx, nth| hop(bus, nth, cx))
}

fn plain() -> QueryBus {
    let bus = QueryBus::builder().clock(FakeClock::new());
    bus.register(from_fn(hand_on)).build().expect("one name")
}

fn everything(token: &CancelToken) -> Context<'static> {
    let trace = TraceParent::new([1; 16], [2; 8], 1).expect("no zeros");
    let cx = Context::new().timeout(SECOND).cancel_on(token.clone());
    cx.trace_parent(trace).with(7_u32)
}

fn assert_all_but_the_token(cx: &Context<'_>) {
    assert_eq!(cx.remaining(), Some(SECOND));
    assert_eq!(cx.trace().map(TraceParent::parent_id), Some([2; 8]));
    assert_eq!(cx.get(), Some(&7_u32));
    assert!(!cx.is_cancelled());
}

fn assert_everything(cx: &Context<'_>, token: &CancelToken) {
    assert_all_but_the_token(cx);
    token.cancel();
    assert!(cx.is_cancelled());
}

#[test]
fn a_context_is_handed_on_a_million_times() {
    let token = CancelToken::new();
    let cx = hops(&plain(), 1_000_000, everything(&token));
    assert_everything(&cx, &token);
}

#[test]
fn a_context_may_pass_through_a_load_at_each_hop() {
    let token = CancelToken::new();
    let bus = QueryBus::builder()
        .clock(FakeClock::new())
        .layer(Cache::ttl(SECOND).capacity(8))
        .layer(Coalesce::new())
        .register(from_fn(hand_on))
        .build()
        .expect("in range");
    let cx = hops(&bus, 100_000, everything(&token));
    assert_all_but_the_token(&cx);
    // The run belongs to all who wait for it: no caller's token ends it.
    token.cancel();
    assert!(!cx.is_cancelled());
}

#[test]
fn each_hop_may_add_a_token_a_value_and_a_trace_anew() {
    let (bus, token) = (plain(), CancelToken::new());
    let mut cx = everything(&token);
    for nth in 0..200_000 {
        let again = cx.derive();
        let added = again
            .derive()
            .cancel_on(token.clone())
            .with(nth)
            .with("text");
        cx = hop(&bus, nth, added);
    }
    assert_eq!((cx.get(), cx.get()), (Some(&199_999_u64), Some(&"text")));
    assert_everything(&cx, &token);
}

#[test]
fn each_hop_may_add_a_token() {
    let (bus, kept, token) = (plain(), CancelToken::new(), CancelToken::new());
    let mut cx = everything(&token).cancel_on(kept.clone());
    for nth in 0..200_000 {
        cx = hop(&bus, nth, cx.derive().cancel_on(CancelToken::new()));
    }
    assert!(!kept.is_cancelled());
    assert_everything(&cx, &token);
}

#[test]
fn a_token_of_an_earlier_hop_cancels_all_later_hops() {
    let bus = plain();
    for held in 0..5 {
        let mut cx = Context::new().detach();
        let mut tokens = Vec::new();
        for nth in 0..5 {
            let token = CancelToken::new();
            cx = hop(&bus, nth, cx.derive().cancel_on(token.clone()));
            tokens.push(token);
        }
        let held = tokens.swap_remove(held);
        drop(tokens);
        for nth in 0..5 {
            cx = hop(&bus, nth, cx.derive().cancel_on(CancelToken::new()));
        }
        assert!(!cx.is_cancelled());
        held.cancel();
        drop(held);
        let refused = bus.execute_blocking_in(&cx, Hop(7));
        assert!(refused.is_err_and(|error| error.is_cancelled()));
        assert!(
            cx.derive()
                .cancel_on(CancelToken::new())
                .detach()
                .detach()
                .is_cancelled()
        );
    }
}

/// The tokens that a context gives out can be cancelled through the context, at any later time.
#[test]
fn an_earlier_context_cancels_contexts_derived_from_it() {
    let bus = plain();
    let first = Context::new().cancel_on(CancelToken::new());
    let mut cx = first.detach();
    for nth in 0..5 {
        cx = hop(&bus, nth, cx.derive().cancel_on(CancelToken::new()));
    }
    assert!(!cx.is_cancelled());
    first.cancel_token().expect("its own").cancel();
    assert!(cx.is_cancelled());
}

#[test]
fn each_hop_may_move_to_another_clock() {
    let token = CancelToken::new();
    let (one, other) = (plain(), plain());
    let cx = (0..100_000).fold(everything(&token), |cx, nth| {
        hop(if nth % 3 == 0 { &one } else { &other }, nth, cx)
    });
    assert_everything(&cx, &token);
}

#[test]
fn a_context_keeps_the_nearest_value_of_each_type_and_every_token() {
    let (sender, receiver) = channel();
    for cancelled in 0..3 {
        let tokens = [CancelToken::new(), CancelToken::new(), CancelToken::new()];
        let outer = Context::new()
            .with(1_u32)
            .with("outer")
            .cancel_on(tokens[0].clone());
        let middle = outer.derive().with(2_u32).cancel_on(tokens[1].clone());
        let inner = middle.derive().with(3_u32).cancel_on(tokens[0].clone());
        let cx = inner
            .detach()
            .cancel_on(tokens[2].clone())
            .derive()
            .detach();
        drop((inner.detach(), middle.detach()));
        assert_eq!((cx.get(), cx.get()), (Some(&3_u32), Some(&"outer")));
        assert!(!cx.is_cancelled());
        tokens[cancelled].cancel();
        assert!(cx.is_cancelled());
        let nearest = cx.cancel_token().expect("three").clone();
        assert_eq!(nearest.is_cancelled(), cancelled == 2);
        sender.send(cx).expect("it is kept");
    }
    drop(receiver);
}

#[test]
fn an_added_token_does_not_replace_earlier_tokens() {
    for (detached, cancelled) in [(false, 0), (false, 1), (true, 0), (true, 1)] {
        let tokens = [CancelToken::new(), CancelToken::new()];
        let first = Context::new().cancel_on(tokens[0].clone());
        let first = if detached { first.detach() } else { first };
        let cx = first.cancel_on(tokens[1].clone());
        assert!(!cx.is_cancelled());
        tokens[cancelled].cancel();
        assert!(cx.is_cancelled());
    }
}

#[test]
fn a_context_of_a_finished_load_may_ask_for_its_key_again() {
    let bus = QueryBus::builder()
        .clock(FakeClock::new())
        .layer(Cache::ttl(SECOND))
        .register(from_fn(hand_on))
        .build()
        .expect("in range");
    let cx = hop(&bus, 0, Context::new());
    let hits = bus.execute_blocking_in(&cx, Hop(0));
    assert!(hits.is_ok(), "its load is over");
}
