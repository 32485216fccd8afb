//! [`Handles`]: the state behind a layer, route by route.

use std::fmt;

use crate::sync::{Mutex, PlainArc, PlainWeak};

/// The policies that a layer has made, by the name of their message: to read their state, and to
/// change their limits while they work. Got from the layer before it goes to a bus; clones show the
/// same.
///
/// A policy is here as long as its route is registered or still in use. One that is made for several
/// routes ([`shared`](crate::LayerExt::shared)) has the name of the first of them.
///
/// ```
/// use arcbus::middleware::Handles;
///
/// let none: Handles<u32> = Handles::default();
/// assert!(none.get("create_user").is_none());
/// ```
pub struct Handles<P>(PlainArc<Mutex<Vec<Handle<P>>>>);

type Handle<P> = (&'static str, PlainWeak<P>);

impl<P> Handles<P> {
    /// The policy of the message with this name: the newest, where a route was replaced.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<PlainArc<P>> {
        let handles = self.0.lock();
        let mut newest_first = handles.iter().rev();
        newest_first.find_map(|(of, policy)| (*of == name).then(|| policy.upgrade())?)
    }

    /// Every policy with the name of its message, in the order of registration.
    #[must_use]
    pub fn all(&self) -> Vec<(&'static str, PlainArc<P>)> {
        let handles = self.0.lock();
        let there = |(name, policy): &Handle<P>| Some((*name, policy.upgrade()?));
        handles.iter().filter_map(there).collect()
    }

    /// Lists `policy` under the name of a message, and forgets those that are gone.
    pub(crate) fn add(&self, name: &'static str, policy: P) -> PlainArc<P> {
        let policy = PlainArc::new(policy);
        let mut handles = self.0.lock();
        handles.retain(|(_, policy)| policy.strong_count() > 0);
        handles.push((name, PlainArc::downgrade(&policy)));
        policy
    }
}

impl<P> Clone for Handles<P> {
    fn clone(&self) -> Self {
        Self(PlainArc::clone(&self.0))
    }
}

impl<P> Default for Handles<P> {
    fn default() -> Self {
        Self(PlainArc::default())
    }
}

/// Each policy by its name.
impl<P: fmt::Debug> fmt::Debug for Handles<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.all()).finish()
    }
}
