//! [`Chain`]: the flights that a dispatch is inside of.

use smallvec::SmallVec;

use crate::context::Context;

/// The numbers of the flights whose leaders run around a dispatch: waiting for one of them would be
/// waiting for itself. A value of the context, so that it goes wherever the context does, also to another
/// task.
#[derive(Clone, Default)]
struct Chain(SmallVec<[u64; 2]>);

/// A context for the run of the leader of the flight with this number.
pub(super) fn inside<'c>(number: u64, cx: &'c Context<'_>) -> Context<'c> {
    let mut chain = cx.get::<Chain>().cloned().unwrap_or_default();
    chain.0.push(number);
    cx.derive().with(chain)
}

/// Whether a dispatch in this context is inside of that flight.
pub(super) fn is_inside(number: u64, cx: &Context<'_>) -> bool {
    let chain = cx.get::<Chain>();
    chain.is_some_and(|chain| chain.0.contains(&number))
}

/// What a dispatch that may not wait at all is told.
pub(super) const ITSELF: &str = "the handler asks, in the context of its own run, for the very key \
     whose reply it is to give, and would wait for itself: ask what both need without the cache, or \
     under another key";
