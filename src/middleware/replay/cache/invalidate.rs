//! [`Invalidates`] and [`Invalidator`]: commands that change kept replies.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::{CacheHandle, Cacheable};
use crate::bounds::CommandKind;
use crate::context::Context;
use crate::message::Message;
use crate::outcome::{Class, Error, Outcome};
use crate::pipeline::{Facts, Gate, Gated, Layer, LayerInfo, Role, RouteInfo};
use crate::setting::InvalidSetting;
use crate::sync::drop_caught;

/// A command that changes the replies to the query `Q`.
///
/// The route of the command gets the [`invalidator`](super::Cache::invalidator) of the cache. Before the
/// command runs, the invalidator asks which entries the command will change. When the command has run, and
/// before its caller gets the outcome, those entries are dropped. A query that comes after the reply
/// therefore sees the change.
///
/// A stale reply is worse than a lost cache entry. An end that leaves open whether the command has acted
/// therefore counts as if the command had acted:
///
/// | end of the command | its entries are dropped |
/// |---|---|
/// | a reply | yes |
/// | the handler's error, [`Transient`](Class::Transient) or [`Unclassified`](Class::Unclassified): after a lost connection the command may have acted | yes |
/// | a panic; a timeout or a cancellation while the handler ran; a dropped dispatch; `WouldDeadlock`, `InDoubt` | yes |
/// | the handler's error, [`Permanent`](Class::Permanent): the message was wrong, and nothing was done | no |
/// | a refusal before the handler ran: invalid, rejected, rate limited, overloaded, circuit open, late, cancelled | no |
///
/// A handler that may act and then fail for good must not classify that error as `Permanent`. A
/// [`Retry`](crate::middleware::Retry) or a [`MapError`](crate::middleware::MapError) between the invalidator
/// and the handler hides how an earlier attempt, or the handler, ended. Every error then counts as if the
/// command had acted. Put the invalidator inside these layers to lose fewer entries.
///
/// ```
/// use std::time::Duration;
/// use arcbus::middleware::cache::Outdated;
/// use arcbus::middleware::{Cache, Cacheable, Invalidates};
/// use arcbus::{Command, CommandBus, Context, Message, Query, QueryBus, from_fn};
///
/// struct GetUser(u64);
/// # impl Message for GetUser {
/// #     const NAME: &'static str = "user.get";
/// #     type Kind = Query;
/// #     type Reply = String;
/// #     type Error = std::convert::Infallible;
/// # }
/// impl Cacheable for GetUser {
///     type Key = u64;
///     fn key(&self) -> &u64 { &self.0 }
/// }
///
/// struct RenameUser { id: u64, name: String }
/// # impl Message for RenameUser {
/// #     const NAME: &'static str = "user.rename";
/// #     type Kind = Command;
/// #     type Reply = ();
/// #     type Error = std::convert::Infallible;
/// # }
/// impl Invalidates<GetUser> for RenameUser {
///     fn invalidates(&self) -> Outdated<GetUser> { Outdated::Key(self.id) }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let cache = Cache::ttl(Duration::from_secs(600));
/// let commands = CommandBus::builder()
///     .scope(|s| {
///         s.layer(cache.invalidator::<GetUser>())
///             .register(from_fn(|_: RenameUser, _: &Context<'_>| Ok(())))
///     })
///     .build()?;
/// let users = cache.handle::<GetUser>();
/// let queries = QueryBus::builder()
///     .scope(|s| s.layer(cache).register(from_fn(|_: GetUser, _: &Context<'_>| Ok("Ada".into()))))
///     .build()?;
///
/// queries.execute_blocking(GetUser(7))?;
/// assert_eq!(users.stats().entries, 1);
/// commands.execute_blocking(RenameUser { id: 7, name: "Ada".into() })?;
/// assert_eq!(users.stats().entries, 0);
/// # Ok(())
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say what it changes of the replies to `{Q}`",
    label = "`Invalidates<{Q}>` is not implemented for `{Self}`",
    note = "write `impl Invalidates<{Q}> for {Self}` with `fn invalidates(&self) -> Outdated<{Q}>`",
    note = "an invalidator goes around commands that change what a cache keeps: put it into their scope"
)]
pub trait Invalidates<Q: Cacheable>: Message<Kind: CommandKind> {
    /// Returns the entries that the command changes. Called before the command runs.
    fn invalidates(&self) -> Outdated<Q>;
}

/// A predicate that selects keys.
pub type Which<K> = Box<dyn Fn(&K) -> bool + Send>;

/// The replies to `Q` that a command makes outdated.
pub enum Outdated<Q: Cacheable> {
    /// No entry.
    Nothing,
    /// The entry under this key.
    Key(<Q::Key as ToOwned>::Owned),
    /// The entries under these keys.
    Keys(Vec<<Q::Key as ToOwned>::Owned>),
    /// The entries under all keys that the predicate selects. A panic in the predicate counts as
    /// [`All`](Outdated::All).
    If(Which<Q::Key>),
    /// All entries.
    All,
}

impl<Q: Cacheable> Outdated<Q> {
    fn drop_from(&self, cache: &CacheHandle<Q>) {
        use std::borrow::Borrow;
        match self {
            Self::Nothing => {}
            Self::Key(key) => cache.invalidate(key.borrow()),
            Self::Keys(keys) => keys.iter().for_each(|key| cache.invalidate(key.borrow())),
            Self::If(which) => cache.invalidate_if(which),
            Self::All => cache.invalidate_all(),
        }
    }
}

impl<Q: Cacheable> fmt::Debug for Outdated<Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("Nothing"),
            Self::Key(_) => f.write_str("Key(..)"),
            Self::Keys(keys) => write!(f, "Keys({})", keys.len()),
            Self::If(_) => f.write_str("If(..)"),
            Self::All => f.write_str("All"),
        }
    }
}

/// A layer that drops from a cache the entries that the commands inside it change. Returned by
/// [`Cache::invalidator`](super::Cache::invalidator); see [`Invalidates`].
pub struct Invalidator<Q: Cacheable>(CacheHandle<Q>);

impl<Q: Cacheable> Invalidator<Q> {
    pub(super) fn new(cache: CacheHandle<Q>) -> Self {
        Self(cache)
    }
}

impl<M: Invalidates<Q>, Q: Cacheable> Layer<M> for Invalidator<Q> {
    type Middleware = Gated<InvalidatorGate<Q>>;

    const ROLE: Role = Role::Invalidator;

    fn middleware(
        &self,
        route: &RouteInfo,
        _previous: Option<&Self::Middleware>,
    ) -> Result<Self::Middleware, InvalidSetting> {
        Ok(Gated(InvalidatorGate {
            cache: self.0.clone(),
            hides_attempts: hides_attempts(route),
        }))
    }

    fn facts(&self) -> Facts {
        Facts::new().note(format!("drops replies to `{}`", Q::NAME))
    }
}

/// Returns whether a layer inside the outermost invalidator may replace the error of the run that acted.
fn hides_attempts(route: &RouteInfo) -> bool {
    let roles = route.stack().iter().map(LayerInfo::role);
    let mut inside = roles.skip_while(|role| *role != Role::Invalidator);
    inside.any(|role| matches!(role, Role::Retry | Role::MapError))
}

impl<Q: Cacheable> Clone for Invalidator<Q> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<Q: Cacheable> fmt::Debug for Invalidator<Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Invalidator").field(&Q::NAME).finish()
    }
}

/// The gate that an [`Invalidator`] makes for a route.
pub struct InvalidatorGate<Q: Cacheable> {
    cache: CacheHandle<Q>,
    hides_attempts: bool,
}

#[diagnostic::do_not_recommend]
impl<C: Invalidates<Q>, Q: Cacheable> Gate<C> for InvalidatorGate<Q> {
    type Pass<'a> = InvalidatorPass<'a, Q>;

    fn enter<'a>(
        &'a self,
        msg: &C,
        _cx: &Context<'_>,
    ) -> Result<InvalidatorPass<'a, Q>, Error<C::Error>> {
        let outdated = msg.invalidates();
        let cache = &self.cache;
        Ok(InvalidatorPass { cache, outdated })
    }

    /// Keeps the entries if the command has surely had no effect. Otherwise they are dropped with the pass.
    fn leave<'a>(
        &'a self,
        mut change: InvalidatorPass<'a, Q>,
        outcome: &Outcome<C>,
        _cx: &Context<'_>,
    ) {
        if let Err(error) = outcome
            && !self.hides_attempts
            && has_not_acted::<C>(error)
        {
            change.outdated = Outdated::Nothing;
        }
    }
}

impl<Q: Cacheable> fmt::Debug for InvalidatorGate<Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("InvalidatorGate").field(&Q::NAME).finish()
    }
}

/// Returns whether a command that ended in `error` has surely done nothing.
fn has_not_acted<C: Message>(error: &Error<C::Error>) -> bool {
    match error {
        Error::Handler(error) => C::classify(error) == Class::Permanent,
        error => !error.is_indeterminate(),
    }
}

/// The entries that a running command may have changed, which are dropped from the cache with the pass.
pub struct InvalidatorPass<'h, Q: Cacheable> {
    cache: &'h CacheHandle<Q>,
    outdated: Outdated<Q>,
}

impl<Q: Cacheable> fmt::Debug for InvalidatorPass<'_, Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("InvalidatorPass").field(&Q::NAME).finish()
    }
}

impl<Q: Cacheable> Drop for InvalidatorPass<'_, Q> {
    fn drop(&mut self) {
        let drop_it = || self.outdated.drop_from(self.cache);
        if let Err(panic) = catch_unwind(AssertUnwindSafe(drop_it)) {
            drop_caught(|| drop(panic));
            drop_caught(|| self.cache.invalidate_all());
        }
    }
}
