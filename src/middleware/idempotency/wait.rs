//! [`wait`]: a dispatch that waits for another one with its key.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use super::middleware::Payload;
use crate::context::{Context, Interrupt};
use crate::error::{Error, Phase};
use crate::message::Message;
use crate::middleware::flights::{Arrival, Waiter};

/// Waits for another dispatch with the same payload, as long as this one has time.
#[cold]
pub(super) async fn wait<'k, M: Message>(
    mut waiter: Waiter<'k, Payload, M::Reply>,
    cx: &Context<'_>,
) -> Result<Arrival<'k, Payload, M::Reply>, Error<M::Error>> {
    let mut stopped = cx.cancelled();
    let arrival = poll_fn(|task| match waiter.poll(task.waker()) {
        Poll::Ready(arrival) => Poll::Ready(Some(arrival)),
        Poll::Pending => Pin::new(&mut stopped).poll(task).map(|()| None),
    });
    match arrival.await {
        // What has come is given, also late; what is late is not begun.
        Some(Arrival::Landed(reply)) => {
            cx.handler_done();
            Ok(Arrival::Landed(reply))
        }
        Some(leads) if !is_stopped(cx) => Ok(leads),
        _ => Err(interrupt(cx).into_error(Phase::NotStarted)),
    }
}

fn is_stopped(cx: &Context<'_>) -> bool {
    cx.expiry_tick() <= cx.waited() || cx.is_cancelled()
}

fn interrupt(cx: &Context<'_>) -> Interrupt {
    let now = cx.clock().ticks();
    if cx.expiry_tick() <= now {
        Interrupt::late(cx, now)
    } else {
        Interrupt::Cancelled
    }
}
