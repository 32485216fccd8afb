//! [`RetryBy`]: a retry that asks about the error.

use std::fmt;

use super::judge::Chosen;
use super::{Retry, RetryPolicy, RetryRecovery};
use crate::message::Message;
use crate::middleware::Handles;
use crate::outcome::Error;
use crate::outcome::Repeatable;
use crate::pipeline::{Boxed, Facts, Layer, Recovered, Role, RouteInfo};
use crate::setting::InvalidSetting;
use crate::sync::PlainArc;

/// A [`Retry`] that asks a closure about each error. Made by [`Retry::retry_if`].
///
/// Clones share what those of a [`Retry`] do.
#[derive(Clone)]
pub struct RetryBy<F> {
    retry: Retry,
    repeats: PlainArc<F>,
}

impl<F> RetryBy<F> {
    pub(super) fn new(retry: Retry, repeats: F) -> Self {
        Self {
            retry,
            repeats: PlainArc::new(repeats),
        }
    }

    /// [`Retry::handles`].
    #[must_use]
    pub fn handles(&self) -> Handles<RetryPolicy> {
        self.retry.handles()
    }
}

impl<M, F> Layer<M> for RetryBy<F>
where
    M: Message + Repeatable,
    F: Fn(&Error<M::Error>) -> bool + Send + Sync + 'static,
{
    type Middleware = Recovered<RetryRecovery<Chosen<F>>, Boxed>;

    const ROLE: Role = Role::Retry;

    fn middleware(
        &self,
        route: &RouteInfo,
        _previous: Option<&Self::Middleware>,
    ) -> Result<Self::Middleware, InvalidSetting> {
        self.retry
            .make(route, Chosen(PlainArc::clone(&self.repeats)))
    }

    fn facts(&self) -> Facts {
        self.retry.facts()
    }

    fn name(&self) -> &'static str {
        "Retry"
    }
}

impl<F> fmt::Debug for RetryBy<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RetryBy").field(&self.retry).finish()
    }
}
