//! [`Cache`]: the settings.

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

/// Gives a reply again to whoever asks with the same key. See [the module](super).
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
/// A clone makes instances of its own, for routes of its own; [`shared`](crate::LayerExt::shared) makes one
/// for all: see [`Layer`](crate::Layer#one-instance-a-route).
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
    /// Keeps each reply for `ttl`, counted from the moment its run was done.
    ///
    /// Range: more than zero, less than 292 years. There is no default: how old a reply may be is for
    /// those to say who use it.
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
    /// Keeps at most about so many replies a route; the least useful make room. They are spread over
    /// parts with a share of it each (four a processor, of at least 32), which fill unevenly.
    ///
    /// Range: 1 to 1,000,000,000. Default: 10,000: with keys and replies of a hundred bytes some two
    /// megabytes. Memory is taken as it fills.
    #[must_use]
    pub fn capacity(mut self, replies: usize) -> Self {
        self.capacity = replies;
        self
    }

    /// Shortens each time to live by a random part, up to this one: what was kept at one moment does not
    /// expire at one moment, which would be a wave of runs.
    ///
    /// Range: 0 (none) to 1. Default: 0.1: enough to spread a wave over many runs, and too little for a
    /// reply to be missed.
    #[must_use]
    pub fn jitter(mut self, part: f64) -> Self {
        self.jitter = part;
        self
    }

    /// For so long after a reply has expired it is still given, while one dispatch, the first that finds
    /// it expired, makes the new one in its own time. If its run fails, that one gives the old reply, too;
    /// unless the error is one that says something of the message or its caller: a permanent one, a
    /// refusal, a cancellation. (RFC 5861, "HTTP cache-control extensions for stale content".)
    ///
    /// Range: more than zero, less than 292 years. Default: off.
    #[must_use]
    pub fn stale_while_revalidate(mut self, stale: Duration) -> Self {
        self.stale = Some(stale);
        self
    }

    /// Bounds how many dispatches may wait for one run. One that comes when so many do gets
    /// [`Error::Overloaded`](crate::Error::Overloaded) with this limit, and counts as
    /// [`refused`](super::CacheStats::refused); one that finds a stale reply gets that. A dispatch that waits
    /// takes memory and, when the run is done, its turn at being woken.
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

    /// Makes the context's value of type `T` a part of the key; a context without one is a caller of its
    /// own. **Without it, a handler that looks at its context (at a tenant, a user, a language) gives one
    /// caller's reply to another.** The last `T` holds: for several values take a type that has them all.
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

    /// Keeps the handler's own errors as well, for `ttl`, unless they are
    /// [`Transient`](crate::Class::Transient): that something is not there, say. Needs an error that is
    /// `Clone`. Errors have no [stale](Cache::stale_while_revalidate) time.
    ///
    /// Range: more than zero, less than 292 years. Default: errors are not kept.
    #[must_use]
    pub fn cache_errors(mut self, ttl: Duration) -> Cache<V, Errors> {
        self.error_ttl = Some(ttl);
        self.of_kind()
    }

    /// What is kept of the query `M`, to invalidate and to count it: on all routes that this layer has
    /// been and will be given to.
    #[must_use]
    pub fn handle<M: Cacheable>(&self) -> CacheHandle<M> {
        self.handles.of::<M>()
    }

    /// A layer for commands that change what is kept of the query `M`. See
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

/// What waiting for another's run may do to a dispatch.
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

/// Returns how many may wait for one run, without a bound the most there can be.
pub(in crate::middleware) fn most_waiters(
    max_waiters: Option<usize>,
    field: &'static str,
) -> Result<usize, InvalidSetting> {
    InvalidSetting::unless(max_waiters != Some(0), field, "at least 1")?;
    Ok(max_waiters.unwrap_or(usize::MAX))
}

/// The bound as a part of a note, empty without one.
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

/// The middleware of a route that keeps nothing.
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
