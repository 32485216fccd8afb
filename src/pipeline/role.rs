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
    /// Adapts a limit of concurrent dispatches to the observed outcomes.
    AdaptiveLimit,
    /// Decides which callers may send a message.
    Authorize,
    /// Limits the number of concurrent dispatches.
    Bulkhead,
    /// Repeats a reply that an earlier dispatch got.
    Cache,
    /// Injects faults on purpose.
    Chaos,
    /// Stops calling a handler that fails.
    CircuitBreaker,
    /// Gives concurrent equal queries a single reply.
    Coalesce,
    /// Replaces an error by a reply.
    Fallback,
    /// Runs the inner service once more if the first run is slow.
    Hedge,
    /// Runs a command once for each key.
    Idempotency,
    /// Removes the entries from a cache that a command has made stale.
    Invalidator,
    /// Limits the rate of messages for each key separately, which gives each caller a share.
    KeyedRateLimit,
    /// Converts an error to another error.
    MapError,
    /// Counts and times dispatches.
    Metrics,
    /// Limits the rate of messages.
    RateLimit,
    /// Runs the inner service again after an error.
    Retry,
    /// Limits the time of a dispatch.
    Timeout,
    /// Reports each dispatch to a subscriber.
    Trace,
    /// Refuses invalid messages.
    Validation,
}

/// A set of roles, known at compile time.
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
