//! The value of the context that is a part of a cache key.

use std::convert::Infallible;
use std::fmt;
use std::marker::PhantomData;

use crate::bounds::KeptKey;
use crate::context::Context;

/// Selects the value of the context that is a part of the key.
pub trait Vary: Send + Sync + 'static {
    type By: KeptKey;
    /// Tells whether a value of the context is a part of the key.
    const VARIES: bool;
    fn of<'c>(cx: &'c Context<'_>) -> Option<&'c Self::By>;
}

/// Gives each reply to all callers.
pub struct Alike;

impl Vary for Alike {
    type By = Infallible;
    const VARIES: bool = false;

    #[inline(always)]
    fn of<'c>(_cx: &'c Context<'_>) -> Option<&'c Infallible> {
        None
    }
}

/// Gives each reply to callers whose contexts hold an equal value of type `T`.
pub struct By<T>(PhantomData<fn() -> T>);

impl<T: KeptKey> Vary for By<T> {
    type By = T;
    const VARIES: bool = true;

    #[inline]
    fn of<'c>(cx: &'c Context<'_>) -> Option<&'c T> {
        cx.get()
    }
}

debug_name!(Alike, "Alike");

impl<T> fmt::Debug for By<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "By({})", std::any::type_name::<T>())
    }
}
