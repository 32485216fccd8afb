//! [`Cache`]: the settings of the layer that keeps replies.

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use super::handle::Handles;
use super::invalidate::Invalidator;
use super::keep::{Errors, Keep, Replies};
use super::key::IdOf;
use super::policy::{Shelf, Terms};
use super::route::CacheRoute;
use super::vary::{Alike, By, Vary};
use super::{CacheAnswer, CacheHandle, Cacheable};
use crate::bounds::KeptKey;
use crate::clock::nanos;
use crate::outcome::ErrorKind;
use crate::pipeline::{Answered, Facts, Layer, Role, RouteInfo};
use crate::setting::InvalidSetting;
use crate::sync::PlainArc;

/// Gives a kept reply to every caller that asks with an equal key. See [the module](super).
///
/// ```
/// use std::time::Duration;
/// use arcbus::Layers;
/// use arcbus::middleware::Cache;
///
/// let cache = Cache::ttl(Duration::from_secs(60))
///     .capacity(1000)
///     .stale_while_revalidate(Duration::from_secs(30));
/// let layers = Layers::new().layer(cache);
/// # let _ = layers;
/// ```
///
/// A clone makes instances of its own, for routes of its own. [`shared`](crate::LayerExt::shared) makes one
/// instance for all routes: see [`Layer`](crate::Layer#one-instance-a-route).
pub struct Cache<V = Alike, K = Replies> {
    ttl: Duration,
    error_ttl: Option<Duration>,
    stale: Option<Duration>,
    jitter: f64,
    capacity: usize,
    max_waiters: Option<usize>,
    handles: Handles,
    kind: PhantomData<fn() -> (V, K)>,
}

impl Cache {
    /// Creates a layer that keeps each reply for `ttl`, counted from the end of its run.
    ///
    /// Range: more than zero, less than 292 years. There is no default, because only the application knows
    /// how old a reply may be.
    #[must_use]
    pub fn ttl(ttl: Duration) -> Self {
        Self {
            ttl,
            error_ttl: None,
            stale: None,
            jitter: 0.1,
            capacity: 10_000,
            max_waiters: None,
            handles: Handles::default(),
            kind: PhantomData,
        }
    }
}

impl<V, K> Cache<V, K> {
    /// Keeps about this number of replies a route at most, and evicts the least useful reply to make room.
    /// The replies are spread over parts with an equal share of the capacity (four a processor, of at least
    /// 32 replies), which fill unevenly.
    ///
    /// Range: 1 to 1,000,000,000. Default: 10,000, about two megabytes for keys and replies of a hundred
    /// bytes. Memory is taken as the cache fills.
    #[must_use]
    pub fn capacity(mut self, replies: usize) -> Self {
        self.capacity = replies;
        self
    }

    /// Shortens each time to live by a random part, up to `part`. Replies that were kept at one moment then
    /// expire at different moments, and cause no wave of runs.
    ///
    /// Range: 0 (none) to 1. Default: 0.1, which spreads a wave over many runs and hardly shortens the time
    /// of a reply.
    #[must_use]
    pub fn jitter(mut self, part: f64) -> Self {
        self.jitter = part;
        self
    }

    /// Gives a reply for this time after it has expired, while one dispatch makes the new reply in its own
    /// time. This is the first dispatch that finds the reply expired. If its run fails, that dispatch gives
    /// the old reply, too. Errors that concern the message or its caller are not replaced: a permanent error,
    /// a refusal, a cancellation. (RFC 5861, "HTTP cache-control extensions for stale content".)
    ///
    /// Range: more than zero, less than 292 years. Default: off.
    #[must_use]
    pub fn stale_while_revalidate(mut self, stale: Duration) -> Self {
        self.stale = Some(stale);
        self
    }

    /// Bounds the number of dispatches that wait for one run. A dispatch beyond the bound gets
    /// [`Error::Overloaded`](crate::Error::Overloaded) with this limit, and counts as
    /// [`refused`](super::CacheStats::refused). If a stale reply is kept, the dispatch gets that reply
    /// instead. Each waiting dispatch takes memory, and time to be woken when the run is done.
    ///
    /// Range: at least 1. Default: no bound.
    ///
    /// ```
    /// use std::time::Duration;
    /// use arcbus::middleware::Cache;
    ///
    /// let cache = Cache::ttl(Duration::from_secs(60)).max_waiters(10_000);
    /// # let _ = cache;
    /// ```
    #[must_use]
    pub fn max_waiters(mut self, dispatches: usize) -> Self {
        self.max_waiters = Some(dispatches);
        self
    }

    /// Makes the context's value of type `T` a part of the key. All contexts without such a value count as
    /// one caller. **Without this setting, a handler that reads its context (a tenant, a user, a language)
    /// gives one caller's reply to another.** Only the last `T` holds, so several values need a type that
    /// contains them all.
    ///
    /// ```
    /// use std::time::Duration;
    /// use arcbus::middleware::Cache;
    ///
    /// #[derive(Clone, PartialEq, Eq, Hash)]
    /// struct Tenant(u32);
    ///
    /// let cache = Cache::ttl(Duration::from_secs(60)).vary_by::<Tenant>();
    /// # let _ = cache;
    /// ```
    #[must_use]
    pub fn vary_by<T: KeptKey>(self) -> Cache<By<T>, K> {
        self.of_kind()
    }

    /// Keeps the handler's own errors as well, for `ttl`, such as the error that a record does not exist.
    /// [`Transient`](crate::Class::Transient) errors are never kept. The error type must be `Clone`, and
    /// errors have no [stale](Cache::stale_while_revalidate) time.
    ///
    /// Range: more than zero, less than 292 years. Default: errors are not kept.
    #[must_use]
    pub fn cache_errors(mut self, ttl: Duration) -> Cache<V, Errors> {
        self.error_ttl = Some(ttl);
        self.of_kind()
    }

    /// Returns the handle that invalidates and counts the replies to the query `M`. The handle acts on all
    /// routes that this layer has been and will be given to.
    #[must_use]
    pub fn handle<M: Cacheable>(&self) -> CacheHandle<M> {
        self.handles.of::<M>()
    }

    /// Returns a layer for commands that change the replies to the query `M`. See
    /// [`Invalidates`](super::Invalidates).
    #[must_use]
    pub fn invalidator<M: Cacheable>(&self) -> Invalidator<M> {
        self.handle::<M>().invalidator()
    }

    fn of_kind<W, L>(self) -> Cache<W, L> {
        Cache {
            ttl: self.ttl,
            error_ttl: self.error_ttl,
            stale: self.stale,
            jitter: self.jitter,
            capacity: self.capacity,
            max_waiters: self.max_waiters,
            handles: self.handles,
            kind: PhantomData,
        }
    }

    fn terms(&self) -> Result<Terms, InvalidSetting> {
        let optional =
            |time: Option<Duration>, field| time.map_or(Ok(0), |time| ticks(time, field));
        let terms = Terms {
            ttl: ticks(self.ttl, "Cache.ttl")?,
            error_ttl: optional(self.error_ttl, "Cache.cache_errors")?,
            stale: optional(self.stale, "Cache.stale_while_revalidate")?,
            jitter: self.jitter,
        };
        let jitter = (0.0..=1.0).contains(&self.jitter);
        InvalidSetting::unless(jitter, "Cache.jitter", "a part from 0 to 1")?;
        Ok(terms)
    }

    fn note(&self) -> String {
        let stale = self.stale.map(|stale| format!(", stale {stale:?}"));
        let errors = self.error_ttl.map(|ttl| format!(", errors {ttl:?}"));
        format!(
            "{:?}, up to {} replies{}{}{}",
            self.ttl,
            self.capacity,
            stale.unwrap_or_default(),
            errors.unwrap_or_default(),
            waiters_note(self.max_waiters),
        )
    }
}

fn ticks(time: Duration, field: &'static str) -> Result<u64, InvalidSetting> {
    let holds = (1..=i64::MAX as u128).contains(&time.as_nanos());
    InvalidSetting::unless(holds, field, "longer than zero and shorter than 292 years")?;
    Ok(nanos(time))
}

impl<M: Cacheable, V: Vary, K: Keep<M>> Layer<M> for Cache<V, K> {
    type Middleware = Answered<CacheAnswer<M, V, K>>;

    const ROLE: Role = Role::Cache;

    fn middleware(
        &self,
        _route: &RouteInfo,
        _previous: Option<&Self::Middleware>,
    ) -> Result<Self::Middleware, InvalidSetting> {
        let terms = self.terms()?;
        let capacity = (1..=1_000_000_000).contains(&self.capacity);
        InvalidSetting::unless(capacity, "Cache.capacity", "from 1 to 1,000,000,000")?;
        let max_waiters = most_waiters(self.max_waiters, "Cache.max_waiters")?;
        let shelf = Shelf::new(self.capacity, terms);
        Ok(route(Some(shelf), max_waiters, &self.handles))
    }

    fn facts(&self) -> Facts {
        waiting(self.max_waiters)
            .keeps(self.ttl.saturating_add(self.stale.unwrap_or_default()))
            .note(self.note())
    }
}

/// Returns the facts of a layer that lets a dispatch wait for the run of another dispatch.
pub(in crate::middleware) fn waiting(max_waiters: Option<usize>) -> Facts {
    let facts = Facts::new()
        .waits(Duration::MAX)
        .fails_with(ErrorKind::Late)
        .fails_with(ErrorKind::QueueTimeout)
        .fails_with(ErrorKind::CancelledEarly)
        .fails_with(ErrorKind::WouldDeadlock);
    match max_waiters {
        Some(_) => facts.fails_with(ErrorKind::Overloaded),
        None => facts,
    }
}

/// Returns the most dispatches that may wait for one run, or `usize::MAX` without a bound.
pub(in crate::middleware) fn most_waiters(
    max_waiters: Option<usize>,
    field: &'static str,
) -> Result<usize, InvalidSetting> {
    InvalidSetting::unless(max_waiters != Some(0), field, "at least 1")?;
    Ok(max_waiters.unwrap_or(usize::MAX))
}

/// Returns the bound as a part of a note, or an empty string without a bound.
pub(in crate::middleware) fn waiters_note(max_waiters: Option<usize>) -> String {
    let bound = max_waiters.map(|most| format!(", up to {most} wait for a run"));
    bound.unwrap_or_default()
}

impl<V, K> Clone for Cache<V, K> {
    fn clone(&self) -> Self {
        Self {
            handles: self.handles.clone(),
            ..*self
        }
    }
}

impl<V, K> fmt::Debug for Cache<V, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache")
            .field("ttl", &self.ttl)
            .field("error_ttl", &self.error_ttl)
            .field("stale", &self.stale)
            .field("jitter", &self.jitter)
            .field("capacity", &self.capacity)
            .field("max_waiters", &self.max_waiters)
            .field("handles", &self.handles)
            .finish_non_exhaustive()
    }
}

/// Creates the middleware of a route that keeps nothing.
pub(in crate::middleware) fn keeping_nothing<M: Cacheable, V: Vary>(
    max_waiters: usize,
    handles: &Handles,
) -> Answered<CacheAnswer<M, V, Replies>> {
    route(None, max_waiters, handles)
}

fn route<M: Cacheable, V: Vary, K: Keep<M>>(
    shelf: Option<Shelf<IdOf<M, V>, K::Value>>,
    max_waiters: usize,
    handles: &Handles,
) -> Answered<CacheAnswer<M, V, K>> {
    let route = PlainArc::new(CacheRoute::new(shelf, max_waiters));
    handles.of::<M>().add(&route);
    Answered(CacheAnswer::new(route))
}
