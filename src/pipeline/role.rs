//! [`Role`]: what a layer is for.

/// What a layer is for, as far as the order of layers goes: what [`Bus::explain`](crate::Bus::explain)
/// judges an order by. Said by [`Layer::ROLE`](crate::Layer::ROLE), [`Middleware::ROLE`](crate::Middleware::ROLE)
/// or [`Gate::ROLE`](crate::Gate::ROLE); a layer of your own that does the work of one of these is judged
/// like it.
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
/// An order that is wrong whatever the settings does not compile: a [`Hedge`](Role::Hedge) outside a
/// [`Cache`](Role::Cache) or a [`Coalesce`](Role::Coalesce), whose second run joins the first. (Where one of
/// them is in an `Option`, a `When` or a `.wrap(..)`, it is only warned of.)
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
    /// None of these: it may stand anywhere.
    Other,
    /// Lowers or raises a limit to how many run at once, by what it learns.
    AdaptiveLimit,
    /// Decides who may send a message.
    Authorize,
    /// Limits how many run at once.
    Bulkhead,
    /// Gives a reply again that an earlier dispatch got.
    Cache,
    /// Makes trouble on purpose.
    Chaos,
    /// Stops asking a handler that fails.
    CircuitBreaker,
    /// Gives those who ask the same at once one reply.
    Coalesce,
    /// Puts a reply in the place of an error.
    Fallback,
    /// Runs the rest once more where the first run is slow.
    Hedge,
    /// Runs a command once a key.
    Idempotency,
    /// Takes out of a cache what a command has changed.
    Invalidator,
    /// Limits how many come in a time, each key apart: a share for each caller.
    KeyedRateLimit,
    /// Makes another error of an error.
    MapError,
    /// Counts and times.
    Metrics,
    /// Limits how many come in a time.
    RateLimit,
    /// Runs the rest again after an error.
    Retry,
    /// Limits the time.
    Timeout,
    /// Shows what happens.
    Trace,
    /// Refuses what is not valid.
    Validation,
}

/// A set of roles, known to the compiler.
#[derive(Clone, Copy, Debug)]
pub struct Roles(u32);

impl Roles {
    pub(crate) const NONE: Self = Self(0);

    /// One role.
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

/// Does not compile where layers stand in an order that is wrong whatever their settings, be they in two
/// stacks that are joined:
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
/// But they may be where one is in an `Option`, which may be off:
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
