//! [`Run`]: a load that belongs to all its waiters.

use std::cell::Cell;
use std::future::poll_fn;
use std::hash::Hash;
use std::pin::Pin;
use std::task::{self, Poll};

use super::chain::Load;
use crate::context::{Context, Source};
use crate::message::Message;
use crate::middleware::singleflight::Leader;
use crate::outcome::Outcome;
use crate::pipeline::{Lease, Next};
use crate::sync::drop_caught;

/// The outcome of a load, with its source.
pub(super) type Done<M> = (Outcome<M>, Source);

/// A load that has begun and borrows nothing. The leading dispatch polls the load, and hands it on when that
/// dispatch leaves.
pub(super) struct Run<M: Message>(Option<Running<M>>);

type Running<M> = Pin<Box<dyn Future<Output = Done<M>> + Send>>;

thread_local! {
    /// The number of runs that this thread is in the middle of polling.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

/// A guard that is held while a run is polled on this thread.
struct Polling;

impl Polling {
    fn begin() -> Self {
        DEPTH.set(DEPTH.get() + 1);
        Self
    }
}

impl Drop for Polling {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get() - 1);
    }
}

/// Returns whether this thread is in the middle of polling a run, in any context.
pub(super) fn is_polling() -> bool {
    DEPTH.get() > 0
}

impl<M: Message> Run<M> {
    /// Creates the run of `msg`, for the flight with this number.
    pub(super) fn new<N: Next<M>>(
        lease: Lease<N>,
        msg: M,
        number: u64,
        cx: Context<'static>,
    ) -> Self {
        Self(Some(Box::pin(async move {
            // Bound before the run that borrows it, and so dropped after that run.
            let lease = lease;
            let load = Load::new(number, cx);
            let outcome = lease.get().run(msg, &load.cx).await;
            (outcome, load.cx.source())
        })))
    }

    /// Polls the run, and returns it while it is pending. A run that panics is dropped.
    pub(super) fn poll(mut self, task: &mut task::Context<'_>) -> Result<Done<M>, Self> {
        let _polling = Polling::begin();
        let running = self.0.as_mut().expect("there until it is dropped");
        match running.as_mut().poll(task) {
            Poll::Ready(done) => Ok(done),
            Poll::Pending => Err(self),
        }
    }
}

impl<M: Message> Drop for Run<M> {
    fn drop(&mut self) {
        drop_caught(|| drop(self.0.take()));
    }
}

/// Polls the run to its end. The leader holds the run between two polls, and hands it on when dropped there.
pub(super) async fn finish<I: Hash + Eq, T, M: Message>(
    leader: &mut Leader<'_, I, T, Run<M>>,
) -> Done<M> {
    poll_fn(|task| {
        let run = leader.take_run().expect("there until it is done");
        match run.poll(task) {
            Ok(done) => Poll::Ready(done),
            Err(pending) => {
                leader.keep_run(pending);
                Poll::Pending
            }
        }
    })
    .await
}
