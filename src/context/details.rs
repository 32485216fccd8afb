//! The parts of a context that most dispatches do without, behind one pointer.

use std::any::{Any, TypeId};
use std::iter;

use smallvec::SmallVec;

use super::{CancelToken, TraceParent};
use crate::clock::Clock;
use crate::sync::Arc;

/// A value of a context, shared so that a detached context can own the value too.
type Value = Arc<dyn Any + Send + Sync>;

/// The details of one context. Levels are chained from a derived context to its origin. A detached
/// context has a single level, however many contexts it was derived through.
#[derive(Clone, Default)]
pub(super) struct Detail<'p> {
    /// Distinct tokens, the nearest last.
    tokens: SmallVec<[CancelToken; 1]>,
    pub(super) trace: Option<TraceParent>,
    /// In a detached context, the clock on whose line the deadline is a tick.
    pub(super) clock: Option<Clock>,
    /// Values of distinct types, at most one for each type.
    values: SmallVec<[(TypeId, Value); 2]>,
    parent: Option<&'p Detail<'p>>,
}

impl Detail<'_> {
    /// Adds `value`, and replaces an earlier value of that type.
    pub(super) fn insert<T: Any + Send + Sync>(&mut self, value: T) {
        let value = crate::sync::arc_dyn!(dyn Any + Send + Sync, value);
        self.set(TypeId::of::<T>(), value);
    }

    fn set(&mut self, id: TypeId, value: Value) {
        match self.values.iter_mut().find(|(other, _)| *other == id) {
            Some(place) => place.1 = value,
            None => self.values.push((id, value)),
        }
    }

    pub(super) fn get<T: Any>(&self) -> Option<&T> {
        let of_type = |(id, _): &&(TypeId, Value)| *id == TypeId::of::<T>();
        self.values.iter().find(of_type)?.1.downcast_ref()
    }

    /// Adds `token` as the nearest one, and removes an equal token added earlier.
    pub(super) fn add_token(&mut self, token: CancelToken) {
        self.tokens.retain(|other| !other.is_same(&token));
        self.tokens.push(token);
    }

    pub(super) fn forget_tokens(&mut self) {
        self.tokens.clear();
    }

    /// Merges an inner level into this one, where the values of the inner level win.
    fn overlay(&mut self, inner: &Detail<'_>) {
        inner
            .tokens
            .iter()
            .cloned()
            .for_each(|token| self.add_token(token));
        self.trace = inner.trace.or(self.trace);
        if let Some(clock) = &inner.clock {
            self.clock = Some(clock.clone());
        }
        for (id, value) in &inner.values {
            self.set(*id, Arc::clone(value));
        }
    }
}

impl Detail<'static> {
    /// Drops the tokens that nobody can cancel any more, because all their clones are in these
    /// levels. A level gives out none but its nearest token. So a context that is handed on does
    /// not collect the tokens of earlier contexts.
    fn drop_forgotten(&mut self, levels: &[&Detail<'_>]) {
        let Some(nearest) = self.tokens.pop() else {
            return;
        };
        self.tokens.retain(|token| {
            let places = levels.iter().flat_map(|level| level.tokens.iter());
            let clones = 1 + places.filter(|it| it.is_same(token)).count();
            let is_given_out =
                |level: &&Detail<'_>| level.tokens.last().is_some_and(|it| it.is_same(token));
            !token.is_left_to(clones) || levels.iter().any(is_given_out)
        });
        self.tokens.push(nearest);
    }
}

/// The innermost level: this context's own level, or the level of the context it was derived from.
///
/// Two words rather than an enum, so that no part of a context is uninitialised. Copying such a
/// part together with its neighbours would stall a dispatch.
#[derive(Clone)]
pub(super) struct Details<'p> {
    own: Option<Arc<Detail<'p>>>,
    /// Set only while there is no own level, which would link to the inherited one.
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

    /// Returns this context's own level, created when first needed.
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

    /// Merges all levels into one level that borrows nothing, for a detached context.
    pub(super) fn flatten(&self) -> Detail<'static> {
        let levels: SmallVec<[&Detail<'_>; 8]> = self.chain().collect();
        let Some((outermost, inner)) = levels.split_last() else {
            return Detail::default();
        };
        let mut flat = Detail {
            tokens: outermost.tokens.clone(),
            trace: outermost.trace,
            clock: outermost.clock.clone(),
            values: outermost.values.clone(),
            parent: None,
        };
        inner.iter().rev().for_each(|inner| flat.overlay(inner));
        flat.drop_forgotten(&levels);
        flat
    }

    #[inline]
    pub(super) fn is_none(&self) -> bool {
        self.own.is_none() && self.inherited.is_none()
    }

    /// Returns the clock of the nearest level that has one.
    pub(super) fn clock(&self) -> Option<&Clock> {
        self.chain().find_map(|detail| detail.clock.as_ref())
    }

    /// Iterates over the tokens, from the nearest one outwards.
    pub(super) fn tokens(&self) -> impl Iterator<Item = &CancelToken> {
        self.chain().flat_map(|detail| detail.tokens.iter().rev())
    }

    /// Iterates over the levels, from the innermost one outwards.
    #[inline]
    pub(super) fn chain(&self) -> impl Iterator<Item = &Detail<'_>> {
        iter::successors(self.first(), |detail| detail.parent)
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
