//! [`Chain`]: the loads that a dispatch is inside of.

use smallvec::SmallVec;

use crate::context::Context;
use crate::sync::{PlainArc, PlainWeak};

/// The loads whose leaders run around a dispatch: waiting for one of them would be waiting for itself. A
/// value of the context, so that it goes wherever the context does, also to another task.
///
/// Each load as the number of its flight, which is gone when the load is over: who goes on in its context
/// is inside of it no more.
#[derive(Clone, Default)]
struct Chain(SmallVec<[PlainWeak<u64>; 2]>);

/// A load that runs, and the context it runs in.
pub(super) struct Load<'c> {
    pub(super) cx: Context<'c>,
    _number: PlainArc<u64>,
}

impl<'c> Load<'c> {
    /// The load of the flight with this number, in the context `cx`.
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

/// Whether a dispatch in this context is inside of a load.
pub(super) fn is_nested(cx: &Context<'_>) -> bool {
    cx.get::<Chain>()
        .is_some_and(|chain| chain.0.iter().any(|load| load.strong_count() > 0))
}

/// Whether a dispatch in this context is inside of a load of the flight with this number.
pub(super) fn is_inside(number: u64, cx: &Context<'_>) -> bool {
    let is_it = |load: &PlainWeak<u64>| load.upgrade().is_some_and(|it| *it == number);
    cx.get::<Chain>()
        .is_some_and(|chain| chain.0.iter().any(is_it))
}

/// What a dispatch that may not wait at all is told.
pub(super) const ITSELF: &str = "the handler asks, in the context of its own run, for the very key \
     whose reply it is to give, and would wait for itself: ask what both need without the cache, or \
     under another key";
