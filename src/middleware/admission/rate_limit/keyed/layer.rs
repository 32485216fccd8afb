//! [`KeyedRateLimit`]: the settings of the layer.

use std::fmt;

use super::middleware::KeyedRateLimitGate;
use super::policy::KeyedRateLimitPolicy;
use super::source::{ByContext, ByMessage, ByRef, KeySource};
use crate::bounds::{KeptKey, LookupKey};
use crate::context::Context;
use crate::message::Message;
use crate::middleware::Handles;
use crate::middleware::rate_limit::Rate;
use crate::outcome::ErrorKind;
use crate::pipeline::{Facts, Gated, Layer, Role, RouteInfo};
use crate::setting::InvalidSetting;
use crate::sync::Arc;

/// Holds each key, such as a tenant, a user or an address, to a separate rate.
///
/// Messages of a key beyond its rate are refused with [`RateLimited`](crate::Error::RateLimited). The
/// closure gives every message a key. With an `Option` as key, messages without a value share one limit.
///
/// There are at most [`max_keys`](Self::max_keys) keys. A key whose bucket is full again is idle, and
/// makes room for a new one. While no key is idle, a message with a new key is refused with
/// [`Overloaded`](crate::Error::Overloaded). So filling the table with other keys neither renews nor
/// drops any limit.
///
/// A clone makes its own instances for its own routes, and [`shared`](crate::LayerExt::shared) makes one
/// instance for all routes: see [`Layer`](crate::Layer#one-instance-a-route).
///
/// `Hash`, `Eq` and `Borrow` of a key run under a lock of the limit, and must not dispatch. The `Clone`
/// and the drop of a key run under no lock.
///
/// ```
/// use arcbus::middleware::rate_limit::{KeyedRateLimit, Rate};
/// use arcbus::{CommandBus, Context, LayerExt, from_fn};
/// # use arcbus::{Command, Message};
/// # struct Mail { from: String }
/// # impl Message for Mail {
/// #     const NAME: &'static str = "mail";
/// #     type Kind = Command;
/// #     type Reply = ();
/// #     type Error = std::convert::Infallible;
/// # }
///
/// #[derive(Clone, Copy, PartialEq, Eq, Hash)]
/// struct Tenant(u32);
///
/// // A tenant's limit for all messages together, and a sender's for mail.
/// let tenants = KeyedRateLimit::by_context(Rate::per_second(100), |cx| cx.get::<Tenant>().copied());
/// let senders = KeyedRateLimit::by_ref(Rate::per_second(1), |mail: &Mail, _| mail.from.as_str());
/// let bus = CommandBus::builder()
///     .layer(tenants.shared())
///     .scope(|s| s.layer(senders.max_keys(1000)).register(from_fn(|_: Mail| Ok(()))))
///     .build()?;
///
/// let mail = |from: &str| bus.execute_blocking(Mail { from: from.to_owned() });
/// assert!(mail("ann").is_ok() && mail("bob").is_ok());
/// assert!(mail("ann").unwrap_err().is_rate_limited());
/// # Ok::<(), arcbus::RegistrationError>(())
/// ```
pub struct KeyedRateLimit<K, S> {
    rate: Rate,
    max_keys: usize,
    source: Arc<S>,
    handles: Handles<KeyedRateLimitPolicy<K>>,
}

/// The default number of keys, which takes some megabytes for small keys.
const MAX_KEYS: usize = 65_536;

impl<K, F> KeyedRateLimit<K, ByMessage<F>> {
    /// Takes the key from `key`, which computes the key of each message from the message and its
    /// context. For a key that allocates, use [`by_ref`](KeyedRateLimit::by_ref), which borrows an
    /// existing key.
    #[must_use]
    pub fn by<M: Message>(rate: Rate, key: F) -> Self
    where
        F: Fn(&M, &Context<'_>) -> K + Send + Sync + 'static,
    {
        Self::of(rate, ByMessage(key))
    }
}

impl<K, F> KeyedRateLimit<K, ByContext<F>> {
    /// Takes the key from `key`, which computes the key from the context, for messages of every type.
    /// Where the layer is [`shared`](crate::LayerExt::shared), the routes have one limit together.
    #[must_use]
    pub fn by_context(rate: Rate, key: F) -> Self
    where
        F: Fn(&Context<'_>) -> K + Send + Sync + 'static,
    {
        Self::of(rate, ByContext(key))
    }
}

impl<Q: LookupKey + ?Sized, F> KeyedRateLimit<Q::Owned, ByRef<(F, fn(&Q))>> {
    /// Takes the key from `key`, which finds the key in a message or its context. A new key is copied,
    /// and a known key is only looked at.
    #[must_use]
    pub fn by_ref<M: Message>(rate: Rate, key: F) -> Self
    where
        F: for<'a> Fn(&'a M, &'a Context<'_>) -> &'a Q + Send + Sync + 'static,
    {
        Self::of(rate, ByRef((key, |_| ())))
    }
}

impl<K, S> KeyedRateLimit<K, S> {
    fn of(rate: Rate, source: S) -> Self {
        Self {
            rate,
            max_keys: MAX_KEYS,
            source: Arc::new(source),
            handles: Handles::default(),
        }
    }

    /// Sets the largest number of keys, at least 1. The default is 65,536, which take a few megabytes if
    /// the keys are small. Unused places take no memory. The keys are divided among up to 64 shards by
    /// hash, each with room for 512 or more. The first shard may therefore be full when 90 % of all
    /// places are taken.
    #[must_use]
    pub fn max_keys(mut self, max_keys: usize) -> Self {
        self.max_keys = max_keys;
        self
    }

    /// Returns a handle that reads the remaining tokens of a key, and changes the rate in use.
    #[must_use]
    pub fn handles(&self) -> Handles<KeyedRateLimitPolicy<K>> {
        self.handles.clone()
    }
}

impl<M, K, S> Layer<M> for KeyedRateLimit<K, S>
where
    M: Message,
    K: KeptKey,
    S: KeySource<M, K>,
{
    type Middleware = Gated<KeyedRateLimitGate<K, S>>;

    const ROLE: Role = Role::KeyedRateLimit;

    fn middleware(
        &self,
        route: &RouteInfo,
        previous: Option<&Self::Middleware>,
    ) -> Result<Self::Middleware, InvalidSetting> {
        let policy = KeyedRateLimitPolicy::new(self.rate, self.max_keys)?;
        let settings = (self.rate, self.max_keys);
        let previous = previous.map(|previous| &previous.0.policy);
        let policy = self.handles.keep_or_add(route, previous, policy, settings);
        let source = Arc::clone(&self.source);
        Ok(Gated(KeyedRateLimitGate::new(policy, source)))
    }

    fn facts(&self) -> Facts {
        let note = format!("{}, for up to {} keys", self.rate.note(), self.max_keys);
        self.rate
            .facts()
            .fails_with(ErrorKind::Overloaded)
            .note(note)
    }
}

impl<K, S> Clone for KeyedRateLimit<K, S> {
    fn clone(&self) -> Self {
        Self {
            rate: self.rate,
            max_keys: self.max_keys,
            source: Arc::clone(&self.source),
            handles: self.handles.clone(),
        }
    }
}

impl<K, S> fmt::Debug for KeyedRateLimit<K, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyedRateLimit")
            .field("rate", &self.rate)
            .field("max_keys", &self.max_keys)
            .finish_non_exhaustive()
    }
}
