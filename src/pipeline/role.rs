//! [`Role`]: the purpose of a layer.

/// The purpose of a layer, by which [`Bus::explain`](crate::Bus::explain) judges the order of layers.
/// Declared by [`Layer::ROLE`](crate::Layer::ROLE), [`Middleware::ROLE`](crate::Middleware::ROLE) or
/// [`Gate::ROLE`](crate::Gate::ROLE). A custom layer with such a role is judged like the layer of the crate.
///
/// ```
/// use arcbus::{Context, Error, Gate, Message, Outcome, Rejection, Role};
///
/// struct Signed;
///
/// impl<M: Message> Gate<M> for Signed {
///     type Pass<'a> = ();
///     const ROLE: Role = Role::Authorize; // a cache outside it would be warned of
///
///     fn enter(&self, _msg: &M, cx: &Context<'_>) -> Result<(), Error<M::Error>> {
///         cx.get::<u64>().map(drop).ok_or(Rejection::unauthenticated().into())
///     }
///
///     fn leave(&self, (): (), _outcome: &Outcome<M>, _cx: &Context<'_>) {}
/// }
/// ```
///
/// An order that is wrong with any settings does not compile. Such an order is a [`Hedge`](Role::Hedge)
/// outside a [`Cache`](Role::Cache) or a [`Coalesce`](Role::Coalesce), whose second run joins the first.
/// (Only a warning is given if either layer is in an `Option`, a `When` or a `.wrap(..)`.)
///
/// ```compile_fail,E0080
#[doc = include_str!("role/layers.in")]
/// // error: a hedge stands outside a cache or a coalescing layer
/// let layers = Layers::new().layer(Hedge).layer(Cache);
/// QueryBus::builder().layers(&layers).register(from_fn(|_: Ask, _: &Context<'_>| Ok(1))).build()?;
/// # Ok::<(), arcbus::RegistrationError>(())
/// ```
///
/// The other way round, it does:
///
/// ```
#[doc = include_str!("role/layers.in")]
/// let layers = Layers::new().layer(Cache).layer(Hedge);
/// QueryBus::builder().layers(&layers).register(from_fn(|_: Ask, _: &Context<'_>| Ok(1))).build()?;
/// # Ok::<(), arcbus::RegistrationError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Role {
    /// No listed purpose: such a layer may stand anywhere.
    Other,
    /// Limits the number of dispatches that run at once, and adapts the limit to the observed outcomes.
    AdaptiveLimit,
    /// Decides which callers may send a message.
    Authorize,
    /// Limits the number of dispatches that run at once.
    Bulkhead,
    /// Repeats a reply that an earlier dispatch got.
    Cache,
    /// Injects delays, failures and panics on purpose, for tests and game days.
    Chaos,
    /// Stops calling a backend that fails, until the backend is likely to have recovered.
    CircuitBreaker,
    /// Gives concurrent equal queries a single reply.
    Coalesce,
    /// Replaces an error of the inner service by a reply.
    Fallback,
    /// Runs the inner service once more if the first run is slow.
    Hedge,
    /// Runs a command once for each idempotency key.
    Idempotency,
    /// Removes the entries from a cache that a command has made stale.
    Invalidator,
    /// Limits the number of messages in a unit of time for each key, which gives each caller a share.
    KeyedRateLimit,
    /// Converts an error of the inner service to another error.
    MapError,
    /// Counts dispatches by outcome, and measures their time.
    Metrics,
    /// Limits the number of messages in a unit of time.
    RateLimit,
    /// Runs the inner service again after an error that may pass.
    Retry,
    /// Limits the time that the inner service may take.
    Timeout,
    /// Reports each dispatch to a subscriber, in a span and an event.
    Trace,
    /// Refuses invalid messages before the inner service runs.
    Validation,
}

/// A set of roles, known at compile time, by which an order is judged.
#[derive(Clone, Copy, Debug)]
pub struct Roles(u32);

impl Roles {
    pub(crate) const NONE: Self = Self(0);

    /// Creates the set of a single role.
    pub(crate) const fn of(role: Role) -> Self {
        Self(1 << role as u32)
    }

    pub(crate) const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) const fn contain(self, role: Role) -> bool {
        self.0 & Self::of(role).0 != 0
    }
}

/// Fails to compile if the layers stand in an order that is wrong with any settings, also across two joined
/// stacks:
///
/// ```compile_fail,E0080
#[doc = include_str!("role/layers.in")]
/// let inner = Layers::new().layer(Cache);
/// QueryBus::builder()
///     .layer(Hedge)
///     .layers(&inner)
///     .register(from_fn(|_: Ask, _: &Context<'_>| Ok(1)));
/// ```
///
/// A layer in an `Option` is accepted, because such a layer may be off:
///
/// ```
#[doc = include_str!("role/layers.in")]
/// let inner = Layers::new().layer(Cache);
/// QueryBus::builder()
///     .layer(Some(Hedge))
///     .layers(&inner)
///     .register(from_fn(|_: Ask, _: &Context<'_>| Ok(1)));
/// ```
pub(super) const fn assert_order(outer: Roles, inner: Roles) {
    assert!(
        !(outer.contain(Role::Hedge)
            && (inner.contain(Role::Cache) || inner.contain(Role::Coalesce))),
        "a hedge stands outside a cache or a coalescing layer: its second run joins the first one and \
         can never be faster: put the hedge inside",
    );
}
