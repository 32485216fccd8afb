//! [`Bulkhead`]: the settings of the layer.

use std::time::Duration;

use super::{BulkheadGate, BulkheadPolicy, BulkheadQueue};
use crate::clock::nanos;
use crate::message::Message;
use crate::middleware::Handles;
use crate::outcome::ErrorKind;
use crate::pipeline::{Enqueued, Facts, Gated, Layer, Role, RouteInfo};
use crate::setting::InvalidSetting;

/// Lets at most `limit` dispatches of a route run at once, and refuses the others with
/// [`Error::Overloaded`](crate::Error::Overloaded). With a [`queue`](Bulkhead::queue), some of the
/// others wait.
///
/// A permit is held until the handler's future is done, or is dropped half way. Every outcome gives the
/// permit back, because a bulkhead judges no outcome.
///
/// A clone makes its own instances for its own routes, and [`shared`](crate::LayerExt::shared) makes one
/// instance for all routes: see [`Layer`](crate::Layer#one-instance-a-route).
#[derive(Clone, Debug)]
pub struct Bulkhead<W = NoQueue> {
    limit: usize,
    queue: W,
    handles: Handles<BulkheadPolicy>,
}

/// The mode of a [`Bulkhead`] that refuses a message when no permit is free.
#[derive(Clone, Copy, Debug)]
pub struct NoQueue;

/// The mode of a [`Bulkhead`] that lets some messages wait for a permit. Made by [`Bulkhead::queue`].
#[derive(Clone, Copy, Debug)]
pub struct Queue {
    len: usize,
    max_wait: Duration,
}

impl Bulkhead {
    /// Creates a bulkhead that runs `limit` dispatches at once, from 1 to 16,777,215. There is no
    /// default, because the right limit depends on the capacity of the backend, or on the loss that the
    /// program can bear.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            queue: NoQueue,
            handles: Handles::default(),
        }
    }

    /// Lets up to `len` dispatches (1 to 65,535) wait for a permit, in the order of arrival. Each waits
    /// up to `max_wait` (above zero) and its own deadline. A message that finds the queue full, or whose
    /// time has passed, ends with [`Error::Overloaded`](crate::Error::Overloaded).
    ///
    /// Neither setting has a default. Each place of a queue is latency, and a wait longer than the
    /// caller's patience is wasted work.
    #[must_use]
    pub fn queue(self, len: usize, max_wait: Duration) -> Bulkhead<Queue> {
        Bulkhead {
            limit: self.limit,
            queue: Queue { len, max_wait },
            handles: self.handles,
        }
    }
}

impl<W> Bulkhead<W> {
    /// Returns a handle that reads the state of every route of this layer, and changes their limits.
    #[must_use]
    pub fn handles(&self) -> Handles<BulkheadPolicy> {
        self.handles.clone()
    }
}

#[diagnostic::do_not_recommend]
impl<M: Message> Layer<M> for Bulkhead {
    type Middleware = Gated<BulkheadGate>;

    const ROLE: Role = Role::Bulkhead;

    fn middleware(
        &self,
        route: &RouteInfo,
        previous: Option<&Self::Middleware>,
    ) -> Result<Self::Middleware, InvalidSetting> {
        let policy = BulkheadPolicy::new(self.limit)?;
        let previous = previous.map(|previous| &previous.0.policy);
        let policy = self
            .handles
            .keep_or_add(route, previous, policy, self.limit);
        Ok(Gated(BulkheadGate::new(policy)))
    }

    fn facts(&self) -> Facts {
        Facts::new()
            .fails_with(ErrorKind::Overloaded)
            .live()
            .note(format!("{} at once", self.limit))
    }
}

impl Queue {
    /// Returns the longest wait in nanoseconds.
    fn max_wait(&self) -> Result<u64, InvalidSetting> {
        let nanos = nanos(self.max_wait);
        InvalidSetting::unless(
            (1..=i64::MAX as u64).contains(&nanos),
            "Bulkhead.max_wait",
            "longer than zero and shorter than 292 years",
        )?;
        Ok(nanos)
    }
}

#[diagnostic::do_not_recommend]
impl<M: Message> Layer<M> for Bulkhead<Queue> {
    type Middleware = Enqueued<BulkheadQueue>;

    const ROLE: Role = Role::Bulkhead;

    fn middleware(
        &self,
        route: &RouteInfo,
        previous: Option<&Self::Middleware>,
    ) -> Result<Self::Middleware, InvalidSetting> {
        let policy = BulkheadPolicy::with_queue(self.limit, self.queue.len)?;
        let max_wait = self.queue.max_wait()?;
        let settings = (self.limit, self.queue.len);
        let previous = previous.map(|previous| &previous.0.policy);
        let policy = self.handles.keep_or_add(route, previous, policy, settings);
        Ok(Enqueued(BulkheadQueue::new(policy, max_wait)))
    }

    fn facts(&self) -> Facts {
        let (limit, Queue { len, max_wait }) = (self.limit, self.queue);
        Facts::new()
            .fails_with(ErrorKind::Overloaded)
            .waits(max_wait)
            .live()
            .note(format!("{limit} at once, {len} wait up to {max_wait:?}"))
    }
}
