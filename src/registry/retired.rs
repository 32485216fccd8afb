//! [`Retired`]: tells when replaced or deregistered handlers are idle.

use std::fmt;
use std::pin::Pin;
use std::task::{self, Poll};
use std::time::{Duration, Instant};

use super::store::Store;
use super::tomb::Tomb;
use crate::clock::{Alarm, Clock};
use crate::sync::{Arc, thread};

/// Longest time between two checks of a waiter.
const PERIOD: Duration = Duration::from_millis(1);

/// A handle for the handlers that a change removed from the registry, which tells when they are
/// idle.
///
/// The handle is drained once three conditions hold. No dispatch runs in the removed handlers any
/// more. Every [`LocalBus`](crate::LocalBus) and [`Route`](crate::Route) that could find them has
/// been used, refreshed or dropped since. And the handlers themselves have been dropped. Then a
/// pool can be closed or a plug-in unloaded. Handlers that an earlier change removed have a
/// `Retired` of their own.
///
/// Readers announce nothing, so a waiter checks repeatedly, at least every millisecond. The handle
/// may be dropped: later calls on the registrar then free the removed handlers.
///
/// Waiting inside a dispatch of a removed handler never ends. Use
/// [`wait_timeout`](Retired::wait_timeout) where that can happen.
///
/// ```
/// use arcbus::{Context, Message, Query, QueryBus, from_fn};
///
/// struct Ping;
/// impl Message for Ping {
///     const NAME: &'static str = "ping";
///     type Kind = Query;
///     type Reply = u32;
///     type Error = std::convert::Infallible;
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (bus, registrar) = QueryBus::builder()
///     .register(from_fn(|_: Ping, _cx: &Context<'_>| Ok(1)))
///     .open()?;
/// let retired = registrar.replace(from_fn(|_: Ping, _cx: &Context<'_>| Ok(2)))?;
/// retired.wait();
/// assert_eq!(bus.execute_blocking(Ping), Ok(2));
/// # Ok(())
/// # }
/// ```
#[must_use = "drop it if nobody needs to know when the old handler is idle"]
pub struct Retired {
    store: Arc<Store>,
    /// The count of removed routes, or `None` if the change removed nothing.
    tomb: Option<Arc<Tomb>>,
}

impl Retired {
    pub(super) fn new(store: Arc<Store>, tomb: Option<Arc<Tomb>>) -> Self {
        Self { store, tomb }
    }

    /// Returns whether all removed handlers are idle and dropped, which is true at once if none was
    /// removed. Takes the registration lock for a moment.
    pub fn is_drained(&self) -> bool {
        let Some(tomb) = &self.tomb else {
            return true;
        };
        if tomb.is_empty() {
            return true;
        }
        self.store.reclaim();
        tomb.is_empty()
    }

    /// Blocks the thread until all removed handlers are idle and dropped.
    pub fn wait(&self) {
        self.wait_until(None);
    }

    /// Blocks until the removed handlers are idle and dropped, or `timeout` has passed. Returns
    /// whether they are.
    #[must_use]
    pub fn wait_timeout(&self, timeout: Duration) -> bool {
        self.wait_until(Instant::now().checked_add(timeout))
    }

    fn wait_until(&self, deadline: Option<Instant>) -> bool {
        let mut pause = Duration::from_micros(10);
        while !self.is_drained() {
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return false;
            }
            thread::sleep(pause);
            pause = PERIOD.min(pause * 2);
        }
        true
    }
}

/// Waits without blocking the thread, when the handle is awaited with `.await`.
impl IntoFuture for Retired {
    type Output = ();
    type IntoFuture = Drained;

    fn into_future(self) -> Drained {
        Drained {
            retired: self,
            alarm: None,
        }
    }
}

/// The future of an awaited [`Retired`], ready once all removed handlers are idle and dropped.
#[derive(Debug)]
pub struct Drained {
    retired: Retired,
    alarm: Option<Alarm>,
}

impl Future for Drained {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, task: &mut task::Context<'_>) -> Poll<()> {
        if self.retired.is_drained() {
            return Poll::Ready(());
        }
        let clock = Clock::shared();
        let next = clock.ticks().saturating_add(PERIOD.as_nanos() as u64);
        self.alarm = Some(clock.arm(next, task.waker()));
        Poll::Pending
    }
}

impl fmt::Debug for Retired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Retired")
            .field("left", &self.tomb)
            .finish_non_exhaustive()
    }
}
