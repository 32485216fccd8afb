//! [`Handles`]: the policies that a layer has made, listed by route.

use std::any::Any;
use std::fmt;
use std::mem;
use std::time::Duration;

use crate::pipeline::RouteInfo;
use crate::setting::InvalidSetting;
use crate::sync::{Mutex, PlainArc, PlainWeak};

/// The policies that a layer has made, by the name of their message. A handle reads the state of a
/// policy and changes its limits while the policy is in use. Get the handle from the layer before the
/// layer goes to a bus. Clones share one list.
///
/// A policy stays listed as long as its route is registered or still in use. The policy and its changed
/// limits are kept when the handler is [replaced](crate::Registrar::replace). A policy that is made for
/// several routes ([`shared`](crate::LayerExt::shared)) has the name of the first of them.
///
/// ```
/// use arcbus::middleware::Handles;
///
/// let none: Handles<u32> = Handles::default();
/// assert!(none.get("create_user").is_none());
/// ```
pub struct Handles<P>(PlainArc<Mutex<Vec<Handle<P>>>>);

struct Handle<P> {
    name: &'static str,
    policy: PlainWeak<P>,
    /// The [`Settings`] from which a layer made the policy.
    settings: Box<dyn Any + Send>,
}

impl<P> Handle<P> {
    fn is_of(&self, policy: &PlainArc<P>) -> bool {
        self.policy.as_ptr() == PlainArc::as_ptr(policy)
    }

    fn settings<F: 'static, L: 'static>(&mut self) -> Option<&mut Settings<F, L>> {
        self.settings.downcast_mut()
    }
}

/// The settings from which a layer makes a policy.
#[derive(Clone, Copy, PartialEq)]
pub(crate) struct Settings<F, L> {
    /// The settings that a policy keeps for life.
    pub(crate) fixed: F,
    /// The settings that can be changed while the policy is in use.
    pub(crate) limits: L,
}

/// Gives a policy other limits, at a time of the bus's clock.
pub(crate) type SetLimits<P, L> = fn(&P, L, Duration) -> Result<(), InvalidSetting>;

impl<P> Handles<P> {
    /// Returns the policy of the message with this name, and the newest where there are several.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<PlainArc<P>> {
        let handles = self.0.lock();
        let mut newest_first = handles.iter().rev();
        newest_first.find_map(|handle| (handle.name == name).then(|| handle.policy.upgrade())?)
    }

    /// Returns every policy with the name of its message, in the order of registration.
    #[must_use]
    pub fn all(&self) -> Vec<(&'static str, PlainArc<P>)> {
        let handles = self.0.lock();
        let there = |handle: &Handle<P>| Some((handle.name, handle.policy.upgrade()?));
        handles.iter().filter_map(there).collect()
    }

    /// Lists `policy` under the name of a message, and forgets policies that no longer exist.
    pub(crate) fn add(&self, name: &'static str, policy: P) -> PlainArc<P> {
        self.add_made_of(name, policy, ())
    }

    fn add_made_of(&self, name: &'static str, policy: P, settings: impl Any + Send) -> PlainArc<P> {
        let policy = PlainArc::new(policy);
        let mut handles = self.0.lock();
        handles.retain(|handle| handle.policy.strong_count() > 0);
        handles.push(Handle {
            name,
            policy: PlainArc::downgrade(&policy),
            settings: Box::new(settings),
        });
        policy
    }
}

impl<P: Send + Sync + 'static> Handles<P> {
    /// Returns the policy for a route. Keeps `previous`, the policy of the replaced handler, if this
    /// layer or a clone made that policy from equal settings. Otherwise lists and returns `made`, which
    /// is new.
    pub(crate) fn keep_or_add<F>(
        &self,
        route: &RouteInfo,
        previous: Option<&PlainArc<P>>,
        made: P,
        settings: F,
    ) -> PlainArc<P>
    where
        F: PartialEq + Send + 'static,
    {
        let (fixed, limits) = (settings, ());
        let settings = Settings { fixed, limits };
        match self.kept::<F, ()>(previous, &settings.fixed) {
            Some(kept) => PlainArc::clone(kept),
            None => self.add_made_of(route.name(), made, settings),
        }
    }

    /// Returns the policy for a route as [`keep_or_add`](Self::keep_or_add) does, for a layer whose
    /// clones may have other limits.
    ///
    /// A kept policy takes over the limits of this layer when the route is registered. The limits stay
    /// as they are if the layer that made the policy, or kept it last, had equal ones. So a limit that
    /// was changed by hand stays until a layer sets another.
    pub(crate) fn keep_with_limits_or_add<F, L>(
        &self,
        route: &RouteInfo,
        previous: Option<&PlainArc<P>>,
        made: P,
        settings: Settings<F, L>,
        set: SetLimits<P, L>,
    ) -> PlainArc<P>
    where
        F: PartialEq + Send + 'static,
        L: PartialEq + Copy + Send + Sync + 'static,
    {
        let Some(kept) = self.kept::<F, L>(previous, &settings.fixed) else {
            return self.add_made_of(route.name(), made, settings);
        };
        let (handles, policy) = (self.clone(), PlainArc::clone(kept));
        route.when_registered(move |clock| {
            if handles.note_limits::<F, L>(&policy, settings.limits) {
                let set = set(&policy, settings.limits, clock.since_origin());
                debug_assert!(set.is_ok(), "a policy was made of them");
            }
        });
        PlainArc::clone(kept)
    }

    fn kept<'p, F, L>(
        &self,
        previous: Option<&'p PlainArc<P>>,
        fixed: &F,
    ) -> Option<&'p PlainArc<P>>
    where
        F: PartialEq + 'static,
        L: 'static,
    {
        let previous = previous?;
        let mut handles = self.0.lock();
        let handle = handles.iter_mut().find(|handle| handle.is_of(previous))?;
        let settings = handle.settings::<F, L>()?;
        (settings.fixed == *fixed).then_some(previous)
    }

    /// Records the limits that a layer gives `policy`, and returns true if they differ from the earlier
    /// ones.
    fn note_limits<F, L>(&self, policy: &PlainArc<P>, limits: L) -> bool
    where
        F: 'static,
        L: PartialEq + Copy + 'static,
    {
        let mut handles = self.0.lock();
        let handle = handles.iter_mut().find(|handle| handle.is_of(policy));
        let noted = handle.and_then(Handle::settings::<F, L>);
        noted.is_some_and(|noted| mem::replace(&mut noted.limits, limits) != limits)
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

/// Formats each policy under the name of its message.
impl<P: fmt::Debug> fmt::Debug for Handles<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.all()).finish()
    }
}
