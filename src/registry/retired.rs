//! [`Retired`]: when what was replaced or deregistered is idle.

use std::fmt;
use std::pin::Pin;
use std::task::{self, Poll};
use std::time::{Duration, Instant};

use super::store::Store;
use super::tomb::Tomb;
use crate::clock::{Alarm, Clock};
use crate::sync::{Arc, thread};

/// How often a waiter looks, at the longest.
const PERIOD: Duration = Duration::from_millis(1);

/// What a change took out of the registry: tells when it is idle.
///
/// It is drained when no dispatch is running any more in the handlers that this change took out, every
/// [`LocalBus`](crate::LocalBus) and [`Route`](crate::Route) that could find them has been used,
/// refreshed or dropped since, and they have been dropped: so a pool can be closed or a plug-in
/// unloaded. What an earlier change took out has a `Retired` of its own.
///
/// Readers announce nothing, so a waiter looks again and again, at least every millisecond. May be
/// dropped: what was taken out is then freed by later calls on the registrar.
///
/// Waiting inside a dispatch of the very handler that was taken out never ends: use
/// [`wait_timeout`](Retired::wait_timeout) where that can be.
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
    /// `None` if nothing was taken out.
    tomb: Option<Arc<Tomb>>,
}

impl Retired {
    pub(super) fn new(store: Arc<Store>, tomb: Option<Arc<Tomb>>) -> Self {
        Self { store, tomb }
    }

    /// Whether everything that was taken out is idle and dropped. Takes the registration lock for a
    /// moment. True at once if nothing was taken out.
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

    /// Blocks until it is drained.
    pub fn wait(&self) {
        self.wait_until(None);
    }

    /// Blocks until it is drained or `timeout` has passed; tells whether it is drained.
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

/// `.await` it to wait without blocking the thread.
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

/// Ready when what was retired is drained. Made by awaiting a [`Retired`].
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
