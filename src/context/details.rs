//! The parts of a context that most dispatches do without, behind one pointer.

use std::any::{Any, TypeId};
use std::iter;

use smallvec::SmallVec;

use super::{CancelToken, TraceParent};
use crate::clock::Clock;
use crate::sync::Arc;

/// One level of details. Levels are chained from a derived context to the one it came from.
#[derive(Clone, Default)]
pub(super) struct Detail<'p> {
    pub(super) cancel: Option<CancelToken>,
    pub(super) trace: Option<TraceParent>,
    pub(super) clock: Option<Clock>,
    /// Latest last. Values are shared so that a detached context can own them too.
    values: SmallVec<[(TypeId, Arc<dyn Any + Send + Sync>); 2]>,
    /// Tokens beyond `cancel`, where several levels were flattened into one.
    parent: Option<&'p Detail<'p>>,
    /// The same for a level that must own what it inherits.
    inherited: Option<Arc<Detail<'static>>>,
}

impl Detail<'_> {
    pub(super) fn insert<T: Any + Send + Sync>(&mut self, value: T) {
        let value = crate::sync::arc_dyn!(dyn Any + Send + Sync, value);
        self.values.push((TypeId::of::<T>(), value));
    }

    pub(super) fn get<T: Any>(&self) -> Option<&T> {
        let (_, value) = self
            .values
            .iter()
            .rev()
            .find(|(id, _)| *id == TypeId::of::<T>())?;
        value.downcast_ref()
    }

    fn next(&self) -> Option<&Detail<'_>> {
        self.parent.or(self.inherited.as_deref())
    }

    fn to_owned(&self) -> Detail<'static> {
        Detail {
            cancel: self.cancel.clone(),
            trace: self.trace,
            clock: self.clock.clone(),
            values: self.values.clone(),
            parent: None,
            inherited: self.next().map(|next| Arc::new(next.to_owned())),
        }
    }
}

/// The innermost level: this context's own, or the one it was derived from.
///
/// Two words rather than an enum, so that a context has no part that is left uninitialised: copying
/// such a part together with its neighbours is what a dispatch would wait for.
#[derive(Clone)]
pub(super) struct Details<'p> {
    own: Option<Arc<Detail<'p>>>,
    /// Only while there is no level of its own, which would link to it.
    inherited: Option<&'p Detail<'p>>,
}

impl<'p> Details<'p> {
    pub(super) const NONE: Self = Self {
        own: None,
        inherited: None,
    };

    pub(super) fn owned(detail: Detail<'p>) -> Self {
        Self {
            own: Some(Arc::new(detail)),
            inherited: None,
        }
    }

    /// The level of this context alone, made when first needed.
    pub(super) fn edit(&mut self) -> &mut Detail<'p> {
        let own = match self.own.take() {
            Some(own) => Arc::try_unwrap(own).unwrap_or_else(|shared| (*shared).clone()),
            None => Detail {
                parent: self.inherited.take(),
                ..Detail::default()
            },
        };
        let own = self.own.insert(Arc::new(own));
        Arc::get_mut(own).expect("just made, so nobody shares it")
    }

    pub(super) fn borrow(&self) -> Details<'_> {
        Details {
            own: None,
            inherited: self.first(),
        }
    }

    pub(super) fn flatten(&self) -> Detail<'static> {
        self.first().map(Detail::to_owned).unwrap_or_default()
    }

    #[inline]
    pub(super) fn is_none(&self) -> bool {
        self.own.is_none() && self.inherited.is_none()
    }

    #[inline]
    pub(super) fn has_clock(&self) -> bool {
        self.chain().any(|detail| detail.clock.is_some())
    }

    /// From the innermost level outwards.
    #[inline]
    pub(super) fn chain(&self) -> impl Iterator<Item = &Detail<'_>> {
        iter::successors(self.first(), |detail| detail.next())
    }

    #[cfg(test)]
    pub(super) fn own_level(&self) -> Option<&Arc<Detail<'p>>> {
        self.own.as_ref()
    }

    #[inline]
    fn first(&self) -> Option<&Detail<'_>> {
        match &self.own {
            Some(own) => Some(own),
            None => self.inherited,
        }
    }
}
