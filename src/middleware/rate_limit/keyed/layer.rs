//! [`KeyedRateLimit`]: the settings.

use std::fmt;
use std::hash::Hash;
use std::marker::PhantomData;

use super::{ByRef, ByValue, KeyedRateLimitGate, KeyedRateLimitPolicy, Select};
use crate::context::Context;
use crate::message::Message;
use crate::middleware::Handles;
use crate::middleware::rate_limit::Quota;
use crate::pipeline::{Gated, Layer, RouteInfo};
use crate::setting::InvalidSetting;

/// A [`RateLimit`](super::super::RateLimit) for each key, which a closure finds in the message or its
/// context. A hit takes the lock of one shard of the keys for one lookup.
///
/// ```
/// use arcbus::middleware::KeyedRateLimit;
/// use arcbus::middleware::rate_limit::Quota;
/// use arcbus::{Command, CommandBus, Context, Message, from_fn};
///
/// struct Post { author: String }
/// impl Message for Post {
///     const NAME: &'static str = "post";
///     type Kind = Command;
///     type Reply = ();
///     type Error = String;
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let by_author = KeyedRateLimit::by_ref(Quota::per_minute(1), |msg: &Post, _| &*msg.author);
/// let bus = CommandBus::builder()
///     .scope(|s| {
///         s.layer(by_author.capacity(10_000))
///             .register(from_fn(|_: Post, _: &Context<'_>| Ok(())))
///     })
///     .build()?;
/// assert!(bus.execute_blocking(Post { author: "ada".into() }).is_ok());
/// assert!(bus.execute_blocking(Post { author: "bob".into() }).is_ok());
/// assert!(bus.execute_blocking(Post { author: "ada".into() }).unwrap_err().is_rate_limited());
/// # Ok(())
/// # }
/// ```
pub struct KeyedRateLimit<M, S: Select<M>> {
    quota: Quota,
    capacity: usize,
    select: S,
    handles: Handles<KeyedRateLimitPolicy<S::Key>>,
    _message: PhantomData<fn(M)>,
}

impl<M: Message, K, F> KeyedRateLimit<M, ByValue<F>>
where
    K: Clone + Hash + Eq + Send + Sync + 'static,
    F: Fn(&M, &Context<'_>) -> K + Clone + Send + Sync + 'static,
{
    /// The quota is that of each key that `key` makes, such as an id.
    pub fn by(quota: Quota, key: F) -> Self {
        Self::new(quota, ByValue(key))
    }
}

impl<M: Message, Q, F> KeyedRateLimit<M, ByRef<F>>
where
    Q: ToOwned<Owned: Hash + Eq + Send + Sync + 'static> + Hash + Eq + ?Sized + 'static,
    F: for<'m> Fn(&'m M, &'m Context<'_>) -> &'m Q + Clone + Send + Sync + 'static,
{
    /// The quota is that of each key that `key` borrows from the message or its context, such as a
    /// name. A key that is there already is not copied.
    pub fn by_ref(quota: Quota, key: F) -> Self {
        Self::new(quota, ByRef(key))
    }
}

impl<M, S: Select<M>> KeyedRateLimit<M, S> {
    fn new(quota: Quota, select: S) -> Self {
        Self {
            quota,
            capacity: 65_536,
            select,
            handles: Handles::default(),
            _message: PhantomData,
        }
    }

    /// At most so many keys at a time whose tokens are not all there. A new one beyond that is
    /// refused until another is idle. From 1 up. Default: 65,536, some megabytes with short keys.
    #[must_use]
    pub fn capacity(mut self, capacity: usize) -> Self {
        self.capacity = capacity;
        self
    }

    /// The policies of the routes: to see how many keys there are, and to change the quota.
    #[must_use]
    pub fn handles(&self) -> Handles<KeyedRateLimitPolicy<S::Key>> {
        self.handles.clone()
    }

    fn policy(&self) -> Result<KeyedRateLimitPolicy<S::Key>, InvalidSetting> {
        KeyedRateLimitPolicy::new(self.quota, self.capacity)
    }
}

impl<M: Message, S: Select<M>> Layer<M> for KeyedRateLimit<M, S> {
    type Middleware = Gated<KeyedRateLimitGate<S, S::Key>>;

    fn check(&self) -> Result<(), InvalidSetting> {
        self.policy().map(drop)
    }

    fn middleware(&self, route: &RouteInfo) -> Self::Middleware {
        let policy = self.policy().expect("checked before");
        let policy = self.handles.add(route.name(), policy);
        Gated(KeyedRateLimitGate::new(policy, self.select.clone()))
    }
}

impl<M, S: Select<M>> fmt::Debug for KeyedRateLimit<M, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyedRateLimit")
            .field("quota", &self.quota)
            .field("capacity", &self.capacity)
            .finish_non_exhaustive()
    }
}
