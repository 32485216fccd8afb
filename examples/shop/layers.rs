//! A gate that counts the dispatches of a route, and a layer with one gate for each route.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arcbus::{Context, Error, Gate, Gated, InvalidSetting, Layer, Message, Outcome, RouteInfo};

/// Counts every dispatch, including nested dispatches, in counts that all clones share.
#[derive(Clone, Debug, Default)]
pub(crate) struct Count {
    routes: Arc<Mutex<BTreeMap<&'static str, Arc<AtomicU64>>>>,
}

impl Count {
    /// Returns the number of dispatches of each message, by name.
    pub(crate) fn totals(&self) -> BTreeMap<&'static str, u64> {
        let routes = self.routes.lock().unwrap_or_else(PoisonError::into_inner);
        let totals = routes.iter();
        totals
            .map(|(name, count)| (*name, count.load(Ordering::Relaxed)))
            .collect()
    }

    fn of(&self, route: &'static str) -> Arc<AtomicU64> {
        let mut routes = self.routes.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(routes.entry(route).or_default())
    }
}

impl<M: Message> Layer<M> for Count {
    type Middleware = Gated<RouteCount>;

    /// Takes the lock once for each registration. A dispatch only adds to the count of its own
    /// route.
    fn middleware(
        &self,
        route: &RouteInfo,
        _previous: Option<&Gated<RouteCount>>,
    ) -> Result<Gated<RouteCount>, InvalidSetting> {
        Ok(Gated(RouteCount(self.of(route.name()))))
    }
}

/// The gate of a single route, which counts the dispatches of that route.
#[derive(Debug)]
pub(crate) struct RouteCount(Arc<AtomicU64>);

impl<M: Message> Gate<M> for RouteCount {
    type Pass<'a> = ();

    fn enter(&self, _msg: &M, _cx: &Context<'_>) -> Result<(), Error<M::Error>> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn leave(&self, (): (), _outcome: &Outcome<M>, _cx: &Context<'_>) {}
}
