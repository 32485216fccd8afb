//! [`Handles`]: the state behind a layer, route by route.

use std::any::Any;
use std::fmt;
use std::mem;
use std::time::Duration;

use crate::pipeline::RouteInfo;
use crate::setting::InvalidSetting;
use crate::sync::{Mutex, PlainArc, PlainWeak};

/// The policies that a layer has made, by the name of their message: to read their state, and to
/// change their limits while they work. Got from the layer before it goes to a bus; clones show the
/// same.
///
/// A policy is here as long as its route is registered or still in use. It stays the same one when its handler is
/// [replaced](crate::Registrar::replace), and so does what was changed here. One that is made for several
/// routes ([`shared`](crate::LayerExt::shared)) has the name of the first of them.
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
    /// The [`Settings`] that a layer has made it of.
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

/// What a layer makes a policy of.
#[derive(Clone, Copy, PartialEq)]
pub(crate) struct Settings<F, L> {
    /// What the policy has for life.
    pub(crate) fixed: F,
    /// What can be changed while it works.
    pub(crate) limits: L,
}

/// Gives a policy other limits, at a time of the bus's clock.
pub(crate) type SetLimits<P, L> = fn(&P, L, Duration) -> Result<(), InvalidSetting>;

impl<P> Handles<P> {
    /// The policy of the message with this name: the newest, where there were several.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<PlainArc<P>> {
        let handles = self.0.lock();
        let mut newest_first = handles.iter().rev();
        newest_first.find_map(|handle| (handle.name == name).then(|| handle.policy.upgrade())?)
    }

    /// Every policy with the name of its message, in the order of registration.
    #[must_use]
    pub fn all(&self) -> Vec<(&'static str, PlainArc<P>)> {
        let handles = self.0.lock();
        let there = |handle: &Handle<P>| Some((handle.name, handle.policy.upgrade()?));
        handles.iter().filter_map(there).collect()
    }

    /// Lists `policy` under the name of a message, and forgets those that are gone.
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
    /// Returns the policy for a route: `previous`, which the handler before it had, if this layer or a clone has
    /// made it of the same settings; otherwise `made`, which is new.
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

    /// [`keep_or_add`](Self::keep_or_add) of a layer whose clones may have other limits.
    ///
    /// A policy that is kept takes them over when the route is registered, unless the layer that made it, or
    /// kept it last, had the same ones: a limit that was changed by hand stays until a layer says otherwise.
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

    /// Notes the limits that a layer gives `policy`; returns whether they are other ones than before.
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

/// Each policy by its name.
impl<P: fmt::Debug> fmt::Debug for Handles<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.all()).finish()
    }
}
