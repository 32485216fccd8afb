//! What of the context a kept reply goes with.

use std::convert::Infallible;
use std::fmt;
use std::marker::PhantomData;

use crate::bounds::KeptKey;
use crate::context::Context;

/// Which value of the context is a part of the key.
pub trait Vary: Send + Sync + 'static {
    type By: KeptKey;
    /// Whether there is one at all.
    const VARIES: bool;
    fn of<'c>(cx: &'c Context<'_>) -> Option<&'c Self::By>;
}

/// A reply is the same for all callers.
pub struct Alike;

impl Vary for Alike {
    type By = Infallible;
    const VARIES: bool = false;

    #[inline(always)]
    fn of<'c>(_cx: &'c Context<'_>) -> Option<&'c Infallible> {
        None
    }
}

/// A reply is for those whose context has the same value of type `T`.
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
