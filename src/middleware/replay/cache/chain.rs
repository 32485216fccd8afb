//! [`Chain`]: the loads that enclose a dispatch.

use smallvec::SmallVec;

use crate::context::Context;
use crate::sync::{PlainArc, PlainWeak};

/// The loads whose leaders run around a dispatch. A dispatch that waited for one of them would wait for
/// itself. The chain is a value of the context, so it goes wherever the context goes, also to another task.
///
/// The chain holds each load as a weak reference to the number of its flight. The number is gone when the
/// load is over, so later work in that context is no longer inside the load.
#[derive(Clone, Default)]
struct Chain(SmallVec<[PlainWeak<u64>; 2]>);

/// A running load, with the context of its run.
pub(super) struct Load<'c> {
    pub(super) cx: Context<'c>,
    _number: PlainArc<u64>,
}

impl<'c> Load<'c> {
    /// Creates the load of the flight with this number, in the context `cx`.
    pub(super) fn new(number: u64, cx: Context<'c>) -> Self {
        let number = PlainArc::new(number);
        let mut chain = cx.get::<Chain>().cloned().unwrap_or_default();
        chain.0.retain(|load| load.strong_count() > 0);
        chain.0.push(PlainArc::downgrade(&number));
        Self {
            cx: cx.with(chain),
            _number: number,
        }
    }
}

/// Returns whether a dispatch in this context is inside a load.
pub(super) fn is_nested(cx: &Context<'_>) -> bool {
    cx.get::<Chain>()
        .is_some_and(|chain| chain.0.iter().any(|load| load.strong_count() > 0))
}

/// Returns whether a dispatch in this context is inside a load of the flight with this number.
pub(super) fn is_inside(number: u64, cx: &Context<'_>) -> bool {
    let is_it = |load: &PlainWeak<u64>| load.upgrade().is_some_and(|it| *it == number);
    cx.get::<Chain>()
        .is_some_and(|chain| chain.0.iter().any(is_it))
}

/// The advice to a dispatch that would wait for its own run.
pub(super) const ITSELF: &str = "the handler asks, in the context of its own run, for the very key \
     whose reply it is to give, and would wait for itself: ask what both need without the cache, or \
     under another key";
