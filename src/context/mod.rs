//! [`Context`]: deadline, cancellation, trace ids and values of a dispatch.

use std::any::Any;
use std::fmt;
use std::future::poll_fn;
use std::task::Poll;
use std::time::{Duration, Instant};

use crate::clock::{Clock, epoch};
use crate::outcome::{Error, Phase, TimeLimit};

mod cancel;
mod details;
mod horizon;
mod limit;
mod source;
mod timing;
mod trace;
mod watch;

use details::{Detail, Details};
use horizon::Horizon;
pub(crate) use limit::{Bound, Limit, Within};
use timing::Timing;

pub use cancel::{CancelToken, Cancelled};
pub use source::Source;
pub use trace::{TraceParent, TraceParentError};
pub(crate) use watch::Watch;

/// The tick of a context without a deadline, which is even like every tick of a [`Limit`].
const NEVER: u64 = u64::MAX - 1;

/// Deadline, cancellation, trace ids and typed values that travel with a dispatch.
///
/// A caller creates a context with [`Context::new`] and passes it to
/// [`execute_with`](crate::Bus::execute_with). The handler and every middleware get it by
/// reference. A handler that dispatches in turn uses [`execute_in`](crate::Bus::execute_in). That
/// method hands on the deadline, the cancellation, the trace and the values without touching a
/// shared reference count. On a bus with another clock, the remaining time counts on that clock
/// from then on.
///
/// A context with only a time limit allocates nothing. A token, a trace or a value needs one
/// allocation.
///
/// ```
/// use std::time::Duration;
/// use arcbus::Context;
///
/// #[derive(Debug, PartialEq)]
/// struct Tenant(u32);
///
/// let cx = Context::new().timeout(Duration::from_millis(20)).with(Tenant(7));
/// assert_eq!(cx.get::<Tenant>(), Some(&Tenant(7)));
/// ```
#[derive(Clone)]
pub struct Context<'p> {
    timing: Timing,
    clock: Option<&'p Clock>,
    /// The deadline on the clock's line once a dispatch has begun, or [`NEVER`] without a deadline.
    tick: u64,
    /// The shorter limit that a middleware has set for its inner service.
    limit: Limit<'p>,
    /// The timeout requested before the dispatch began, or [`NEVER`] without a timeout.
    timeout: u64,
    deadline: u64,
    details: Details<'p>,
}

impl Default for Context<'_> {
    fn default() -> Self {
        Self::new()
    }
}

impl<'p> Context<'p> {
    /// Creates a context without deadline, token, trace or values.
    #[inline]
    #[must_use]
    pub const fn new() -> Self {
        Self {
            timing: Timing::new(),
            clock: None,
            tick: NEVER,
            limit: Limit::NONE,
            timeout: NEVER,
            deadline: NEVER,
            details: Details::NONE,
        }
    }

    /// Limits the dispatch to `timeout`, counted by the bus's clock from the start of the dispatch.
    /// Zero means "already late", and a limit beyond the clock's range means none. The earliest of
    /// this, a [`deadline`](Context::deadline) and an inherited deadline holds. Default: no limit.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = nanos(timeout);
        self
    }

    /// Limits the dispatch to `deadline`, by the clock of its bus. In a context that was derived or
    /// detached in a dispatch, the clock of that dispatch counts. See
    /// [`timeout`](Context::timeout).
    #[must_use]
    pub fn deadline(mut self, deadline: Instant) -> Self {
        self.deadline = since_epoch(deadline);
        self
    }

    /// Cancels the dispatch when `token` is cancelled, in addition to inherited and earlier tokens.
    #[must_use]
    pub fn cancel_on(mut self, token: CancelToken) -> Self {
        self.details.edit().add_token(token);
        self
    }

    /// Sets the W3C trace parent, which inner and nested dispatches inherit.
    #[must_use]
    pub fn trace_parent(mut self, trace: TraceParent) -> Self {
        self.details.edit().trace = Some(trace);
        self
    }

    /// Adds a value that handlers and middleware read with [`get`](Context::get). A second value of
    /// one type replaces the first, and hides an inherited one.
    #[must_use]
    pub fn with<T: Any + Send + Sync>(mut self, value: T) -> Self {
        self.details.edit().insert(value);
        self
    }

    /// Returns the value of type `T` that was added last.
    #[must_use]
    pub fn get<T: Any + Send + Sync>(&self) -> Option<&T> {
        self.details.chain().find_map(Detail::get)
    }

    /// Returns the W3C trace parent, if there is one.
    #[must_use]
    pub fn trace(&self) -> Option<&TraceParent> {
        self.details
            .chain()
            .find_map(|detail| detail.trace.as_ref())
    }

    /// Returns whether a token of this context is cancelled, or the grace of a
    /// [`Timeout`](crate::middleware::Timeout) has begun. Costs one atomic load for each of them.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.limit.is_over() || self.tokens().any(CancelToken::is_cancelled)
    }

    /// Completes when the dispatch is about to be stopped: a token of this context is cancelled, or
    /// its time is over.
    ///
    /// For a handler that would rather end early than be dropped. The handler is polled once more
    /// at that moment, before it is dropped, and its reply from that poll counts. In the grace of a
    /// [`Timeout`](crate::middleware::Timeout) it may wait a little longer. Allocates when it
    /// waits.
    ///
    /// ```
    /// use std::convert::Infallible;
    /// use std::future::{pending, poll_fn};
    /// use std::pin::pin;
    /// use std::task::Poll;
    /// use std::time::Duration;
    /// use arcbus::{Context, Message, Query, QueryBus, from_async_fn};
    ///
    /// struct Search;
    /// impl Message for Search {
    ///     const NAME: &'static str = "search";
    ///     type Kind = Query;
    ///     type Reply = Vec<u32>;
    ///     type Error = Infallible;
    /// }
    ///
    /// # async fn more(found: &mut Vec<u32>) { found.push(7); pending().await }
    /// async fn search(_msg: Search, cx: &Context<'_>) -> Result<Vec<u32>, Infallible> {
    ///     let mut found = Vec::new();
    ///     let mut searching = Box::pin(more(&mut found));
    ///     let mut cancelled = pin!(cx.cancelled());
    ///     poll_fn(|task| match searching.as_mut().poll(task) {
    ///         Poll::Pending => cancelled.as_mut().poll(task),
    ///         ready => ready,
    ///     })
    ///     .await;
    ///     drop(searching);
    ///     Ok(found) // the results so far
    /// }
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let bus = QueryBus::builder().register(from_async_fn(search)).build()?;
    /// let cx = Context::new().timeout(Duration::from_millis(1));
    /// assert_eq!(bus.execute_blocking_with(Search, cx), Ok(vec![7]));
    /// # Ok(())
    /// # }
    /// ```
    pub fn cancelled(&self) -> impl Future<Output = ()> + Send + Unpin {
        let mut watch = None;
        poll_fn(move |task| {
            let watch = watch.get_or_insert_with(|| Watch::until_expiry(self));
            if self.is_cancelled() || watch.poll(self, task.waker()).is_err() {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
    }

    /// Returns the nearest token, to wait on or to hand on.
    #[must_use]
    pub fn cancel_token(&self) -> Option<&CancelToken> {
        self.tokens().next()
    }

    /// Returns the time at which the dispatch is stopped, by the clock of its bus, if there is a
    /// limit. For use inside a dispatch.
    #[must_use]
    pub fn expires_at(&self) -> Option<Instant> {
        let own = self.expiry().map(|tick| self.clock().instant_of(tick));
        let horizon = self.get().and_then(Horizon::expires_at);
        own.into_iter().chain(horizon).min()
    }

    /// Returns the remaining time if there is a limit, and zero once the limit has passed. Reads
    /// the clock.
    ///
    /// In a run that several callers of a [`Cache`](crate::middleware::Cache) wait for, this is the
    /// time of the caller that waits longest at this moment, and `None` while one of them has no
    /// limit.
    #[must_use]
    pub fn remaining(&self) -> Option<Duration> {
        let left = |tick: u64| Duration::from_nanos(tick.saturating_sub(self.clock().ticks()));
        let horizon = self.get().and_then(Horizon::remaining);
        self.expiry().map(left).into_iter().chain(horizon).min()
    }

    /// Returns the number of this attempt, from 1 up.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.limit.attempt()
    }

    /// Returns the source of the reply: the handler, or a layer that replied in its place. For a
    /// middleware after the inner service has completed. Has no meaning for a dispatch without a
    /// reply.
    #[inline]
    #[must_use]
    pub fn source(&self) -> Source {
        self.limit.source()
    }

    /// Returns whether the reply comes from the handler.
    #[inline(always)]
    pub(crate) fn is_of_handler(&self) -> bool {
        self.limit.is_of_handler()
    }

    /// Records the source of a reply that a middleware gives in the handler's place, so that no
    /// outer layer takes it for the handler's.
    pub fn answered_by(&self, source: Source) {
        self.limit.set_source(source);
    }

    /// Returns the time from the start of the dispatch until the handler was done. The first call
    /// after the handler reads the clock and later calls repeat its result, so a whole stack pays
    /// for one read. For a middleware after the inner service has completed. The middleware must
    /// have called [`started`](Context::started) before.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        let start = self.timing.start(|| self.clock().ticks());
        Duration::from_nanos(self.done_tick().saturating_sub(start))
    }

    /// Returns the start of the dispatch, which is the moment of the first call.
    pub fn started(&self) -> Instant {
        let start = self.timing.start(|| self.clock().ticks());
        self.clock().instant_of(start)
    }

    /// Tells the inner middleware that this one has waited: their time begins now, not at the start
    /// of the dispatch. Reads the clock.
    pub fn after_wait(&self) {
        self.waited();
    }

    /// Creates a context that inherits everything from this one and can be extended, for a
    /// middleware that runs the inner service with it. Copies a few words and touches no shared
    /// reference count.
    ///
    /// The limits and tokens the dispatch began with still stop the inner service. Those added here
    /// apply to dispatches made in the derived context, and can only shorten what they inherit.
    ///
    /// The derived context borrows from this one. For a task or a thread of its own, use
    /// [`detach`](Context::detach).
    #[must_use]
    pub fn derive(&self) -> Context<'_> {
        Context {
            timing: self.timing.clone(),
            ..self.attempt_number(self.attempt())
        }
    }

    /// Creates a context for another run of the inner service in this dispatch, with its own
    /// timing.
    pub(crate) fn attempt_number(&self, attempt: u32) -> Context<'_> {
        Context {
            tick: self.tick,
            limit: self.limit.derive(attempt),
            ..self.nested()
        }
    }

    /// Creates a context for a run concurrent with another. Does not propagate the source of its
    /// reply outwards: only the layer that picks the winner may do so.
    pub(crate) fn beside(&self, attempt: u32) -> Context<'_> {
        Context {
            limit: self.limit.beside(attempt),
            ..self.attempt_number(attempt)
        }
    }

    /// Creates a context for a dispatch made inside this one, with its own timing and attempts.
    pub(crate) fn nested(&self) -> Context<'_> {
        Context {
            timing: Timing::new(),
            clock: self.clock,
            tick: self.expiry_tick(),
            limit: self.limit.nested(),
            timeout: self.timeout,
            deadline: self.deadline,
            details: self.details.borrow(),
        }
    }

    /// Creates a context with everything of this one that borrows nothing, to be moved to another
    /// task.
    ///
    /// The result holds each token once, and the nearest value of each type. Its size does not
    /// depend on how many dispatches, layers and detached contexts they came through. A handler may
    /// hand its context on for ever. Allocates.
    ///
    /// ```
    /// use std::convert::Infallible;
    /// use std::thread;
    /// use arcbus::{Command, CommandBus, Context, Message, from_fn};
    ///
    /// struct Import;
    /// impl Message for Import {
    ///     const NAME: &'static str = "import";
    ///     type Kind = Command;
    ///     type Reply = thread::JoinHandle<bool>;
    ///     type Error = Infallible;
    /// }
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let bus = CommandBus::builder()
    ///     .register(from_fn(|_: Import, cx: &Context<'_>| {
    ///         let cx = cx.detach(); // a derived context could not leave this function
    ///         Ok(thread::spawn(move || cx.is_cancelled()))
    ///     }))
    ///     .build()?;
    /// let import = bus.execute_blocking(Import)?;
    /// assert!(!import.join().unwrap());
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "spawn")]
    #[doc(alias = "into_owned")]
    #[must_use]
    pub fn detach(&self) -> Context<'static> {
        let mut details = self.details.flatten();
        if let Some(clock) = self.clock {
            details.clock = Some(clock.clone());
        }
        Context {
            timing: self.timing.clone(),
            clock: None,
            tick: self.last_tick().unwrap_or(NEVER),
            limit: self.limit.detach(),
            timeout: self.timeout,
            deadline: self.deadline,
            details: Details::owned(details),
        }
    }

    /// Creates the context of a run that belongs to all who wait for it. The run has the values and the trace
    /// of this context and none of its limits or tokens. `latest` tells the tick at which the last of the
    /// waiters leaves.
    pub(crate) fn detach_run(
        &self,
        latest: impl Fn() -> Option<u64> + Send + Sync + 'static,
    ) -> Context<'static> {
        let horizon = Horizon::new(self.clock().clone(), latest);
        let mut run = self.detach();
        run.tick = NEVER;
        run.timeout = NEVER;
        run.deadline = NEVER;
        run.details.edit().forget_tokens();
        run.with(horizon)
    }

    /// Creates the context of a dispatch that was given none.
    #[inline(always)]
    pub(crate) const fn root(clock: &'p Clock) -> Self {
        let mut cx = Self::new();
        cx.clock = Some(clock);
        cx
    }

    /// Prepares this context for one dispatch: fresh timing, the bus's clock, and limits on that
    /// clock's line.
    ///
    /// # Errors
    ///
    /// `Timeout` or `Cancelled` with [`Phase::NotStarted`] if the dispatch is already late or
    /// cancelled.
    #[inline]
    pub(crate) fn begin(&mut self, clock: &'p Clock) -> Result<(), Interrupt> {
        self.timing = Timing::new();
        self.limit.begin();
        let before = self.clock.replace(clock);
        if self.is_limited() || self.limit.get() != NEVER {
            self.begin_limited(before)
        } else {
            Ok(())
        }
    }

    /// Returns whether anything other than an inner limit can interrupt this dispatch.
    #[inline]
    pub(crate) fn is_limited(&self) -> bool {
        self.tick != NEVER
            || self.timeout != NEVER
            || self.deadline != NEVER
            || !self.details.is_none()
    }

    /// Starts a dispatch that has limits. `before` is the clock of the enclosing dispatch, unless
    /// the details hold that clock.
    #[cold]
    fn begin_limited(&mut self, before: Option<&Clock>) -> Result<(), Interrupt> {
        // A limit that a middleware set in the enclosing dispatch is the deadline of this one.
        self.tick = self.tick.min(self.limit.take());
        if self.tokens().any(CancelToken::is_cancelled) {
            return Err(Interrupt::Cancelled);
        }
        if self.tick != NEVER || self.deadline != NEVER {
            self.tick = self.deadline_on_clock(before);
            self.deadline = NEVER;
        }
        if self.tick == NEVER && self.timeout == NEVER {
            return Ok(());
        }
        let start = self.timing.start(|| self.clock().ticks());
        self.tick = self.tick.min(start.saturating_add(self.timeout));
        self.timeout = NEVER;
        if start >= self.tick {
            return Err(Interrupt::Late {
                elapsed: Duration::from_nanos(start - self.tick),
                limit: TimeLimit::Caller,
            });
        }
        Ok(())
    }

    /// Returns the inherited or given deadline as a tick of the dispatching clock. The remaining
    /// time stays what it is on the earlier clock, which is read only if the clocks differ.
    fn deadline_on_clock(&self, before: Option<&Clock>) -> u64 {
        let clock = self.clock();
        let before = before.or_else(|| self.details.clock()).unwrap_or(clock);
        let tick = match self.deadline {
            NEVER => self.tick,
            nanos => before
                .tick_of(epoch() + Duration::from_nanos(nanos))
                .min(self.tick),
        };
        if tick == NEVER || before.is_same(clock) {
            return tick;
        }
        // In this order, a delay between the two readings makes the deadline earlier. A deadline
        // that is handed on never moves later.
        let start = self.timing.start(|| clock.ticks());
        let now = before.ticks();
        match tick.checked_sub(now) {
            Some(left) => start.saturating_add(left).min(NEVER),
            None => start.saturating_sub(now - tick),
        }
    }

    /// Records that the handler is done, so that the next reader of the end time reads the clock
    /// anew.
    #[inline(always)]
    pub(crate) fn handler_done(&self) {
        self.timing.clear_end();
    }

    /// Records that the inner service has just ended in `inner`, which was derived from this
    /// context. One reading tells the end of both.
    pub(crate) fn done_in(&self, inner: &Context<'_>) {
        self.timing.end_as(&inner.timing);
    }

    /// Returns the tick at which a middleware admits the message: the start of the dispatch, or the
    /// end of a [wait](Context::waited) in an outer middleware.
    #[inline]
    pub(crate) fn entry_tick(&self) -> u64 {
        self.timing.entry(|| self.clock().ticks())
    }

    /// Returns the tick at which the handler was done, for a middleware that looks at the outcome.
    #[inline]
    pub(crate) fn done_tick(&self) -> u64 {
        self.timing.end(|| self.clock().ticks())
    }

    /// Reads the clock anew after a wait, for the inner middleware.
    pub(crate) fn waited(&self) -> u64 {
        self.timing.waited(|| self.clock().ticks())
    }

    /// Reads the clock anew after a wait. Returns the interrupt of a dispatch that must not begin any
    /// more, because its time is over or it is cancelled.
    pub(crate) fn may_begin(&self) -> Result<(), Interrupt> {
        let now = self.waited();
        if now >= self.expiry_tick() {
            Err(Interrupt::late(self, now, self.time_limit()))
        } else if self.is_cancelled() {
            Err(Interrupt::cancelled(self))
        } else {
            Ok(())
        }
    }

    /// Returns the effective limit as a tick, if there is one.
    #[inline]
    pub(crate) fn expiry(&self) -> Option<u64> {
        let tick = self.expiry_tick();
        (tick != NEVER).then_some(tick)
    }

    /// Returns the effective limit as a tick, or in a run the tick at which the last of its callers leaves, as
    /// it is now. The clock is read first, so that this comes no later than they leave.
    pub(crate) fn last_tick(&self) -> Option<u64> {
        let horizon = self.get::<Horizon>().and_then(|horizon| {
            let now = self.clock().ticks();
            Some(now.saturating_add(nanos(horizon.remaining()?)).min(NEVER))
        });
        self.expiry().into_iter().chain(horizon).min()
    }

    /// Returns the effective limit as a tick. Without a limit, the result is later than every other
    /// tick.
    #[inline]
    pub(crate) fn expiry_tick(&self) -> u64 {
        self.tick.min(self.limit.get())
    }

    /// Returns whether the caller no longer waited when the handler was done: a token is cancelled,
    /// or the deadline has passed. Reads the clock if there is a deadline and the end time is not
    /// known yet.
    #[cold]
    pub(crate) fn has_lost_its_caller(&self) -> bool {
        self.tokens().any(CancelToken::is_cancelled)
            || (self.tick != NEVER && self.done_tick() >= self.tick)
    }

    /// Returns the owner of the limit at [`expiry_tick`](Self::expiry_tick).
    #[cold]
    pub(crate) fn time_limit(&self) -> TimeLimit {
        Limit::owner(self.limit.get(), self.tick)
    }

    /// Returns the time limit that middleware sets for inner services.
    #[inline]
    pub(crate) fn limit(&self) -> &Limit<'p> {
        &self.limit
    }

    /// Returns the caller's limit, without those of middleware.
    #[inline]
    pub(crate) fn deadline_tick(&self) -> u64 {
        self.tick
    }

    #[inline(always)]
    pub(crate) fn clock(&self) -> &Clock {
        match self.clock {
            Some(clock) => clock,
            None => self.inherited_clock(),
        }
    }

    #[cold]
    fn inherited_clock(&self) -> &Clock {
        self.details.clock().unwrap_or(Clock::shared())
    }

    fn tokens(&self) -> impl Iterator<Item = &CancelToken> {
        self.details.tokens()
    }
}

impl fmt::Debug for Context<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("remaining", &self.remaining())
            .field("cancelled", &self.is_cancelled())
            .field("trace", &self.trace())
            .field("attempt", &self.attempt())
            .finish_non_exhaustive()
    }
}

/// Returns the nanoseconds since [`epoch`], and zero for an earlier instant, which is past whenever
/// read.
fn since_epoch(instant: Instant) -> u64 {
    nanos(instant.saturating_duration_since(epoch()))
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(NEVER)
}

/// The reason why a dispatch was stopped from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Interrupt {
    Cancelled,
    /// Time has run out.
    Late {
        /// The time by which, or after which, the dispatch was given up.
        elapsed: Duration,
        limit: TimeLimit,
    },
}

impl Interrupt {
    /// Creates the interrupt of a dispatch whose time has run out `now`, at this limit.
    pub(crate) fn late(cx: &Context<'_>, now: u64, limit: TimeLimit) -> Self {
        let start = cx.timing.start(|| cx.clock().ticks());
        let elapsed = Duration::from_nanos(now.saturating_sub(start));
        Self::Late { elapsed, limit }
    }

    /// Creates the interrupt of a [cancelled](Context::is_cancelled) context: a token is cancelled,
    /// or the grace of a layer has begun.
    pub(crate) fn cancelled(cx: &Context<'_>) -> Self {
        if cx.limit.is_over() {
            Self::late(cx, cx.clock().ticks(), TimeLimit::Layer)
        } else {
            Self::Cancelled
        }
    }

    #[cold]
    #[inline(never)]
    pub(crate) fn into_error<E>(self, phase: Phase) -> Error<E> {
        match self {
            Self::Cancelled => Error::Cancelled { phase },
            Self::Late { elapsed, limit } => Error::Timeout {
                phase,
                elapsed,
                limit,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::Arc;

    fn holders(cx: &Context<'_>) -> usize {
        cx.details.own_level().map_or(0, Arc::strong_count)
    }

    #[test]
    fn a_wait_before_the_handler_is_not_taken_for_its_end() {
        let fake = crate::FakeClock::new();
        let clock = fake.clock();
        let cx = Context::root(&clock);
        let start = cx.entry_tick();
        fake.advance(Duration::from_nanos(2));
        let waited = cx.waited();
        let derived = cx.derive();
        assert_eq!((waited, derived.entry_tick()), (start + 2, start + 2));
        fake.advance(Duration::from_nanos(3));
        derived.handler_done();
        assert_eq!(
            (derived.done_tick(), cx.done_tick()),
            (start + 5, start + 5)
        );
    }

    #[test]
    fn a_derived_context_touches_no_reference_count() {
        let cx = Context::new().cancel_on(CancelToken::new()).with(7_u32);
        let (derived, nested) = (cx.derive(), cx.nested());
        let deeper = derived.derive();
        assert_eq!(holders(&cx), 1);
        for inherits in [&derived, &nested, &deeper] {
            assert_eq!(inherits.get(), Some(&7_u32));
            assert_eq!(holders(inherits), 0, "it has no level of its own");
        }
        let clone = cx.clone();
        assert_eq!(holders(&cx), 2, "a clone does touch it");
        drop(clone);
    }
}
