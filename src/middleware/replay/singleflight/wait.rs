//! Waits for the load of another dispatch, within the time of the waiting dispatch.

use std::future::poll_fn;
use std::hash::Hash;
use std::task::{self, Poll};

use super::{Arrival, Waiter};
use crate::context::{Context, Interrupt, Watch};

/// Waits until the value has landed or the waiter is to lead.
///
/// # Errors
///
/// Returns the interrupt if the time of the dispatch is over or the dispatch is cancelled. Its handler has
/// then not run.
pub(crate) async fn arrival<'f, K: Hash + Eq, V, R>(
    mut waiter: Waiter<'f, K, V, R>,
    cx: &Context<'_>,
) -> Result<Arrival<'f, K, V, R>, Interrupt> {
    let mut watch = None;
    let arrival = poll_fn(|task| match waiter.poll(task.waker()) {
        Poll::Ready(arrival) => Poll::Ready(Ok(arrival)),
        Poll::Pending => interrupted(&mut watch, cx, task).map(Err),
    })
    .await?;
    match arrival {
        Arrival::Leads(_) => cx.may_begin().map(|()| arrival),
        Arrival::Landed(_) => Ok(arrival),
    }
}

/// Returns the interrupt once the time of the dispatch is over or the dispatch is cancelled.
fn interrupted(
    watch: &mut Option<Watch>,
    cx: &Context<'_>,
    task: &mut task::Context<'_>,
) -> Poll<Interrupt> {
    let watch = watch.get_or_insert_with(|| Watch::until_expiry(cx));
    match watch.poll(cx, task.waker()) {
        Ok(()) => Poll::Pending,
        Err(interrupt) => Poll::Ready(interrupt),
    }
}
