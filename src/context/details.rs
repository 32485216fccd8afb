//! The parts of a context that most dispatches do without, behind one pointer.

use std::any::{Any, TypeId};
use std::iter;

use smallvec::SmallVec;

use super::{CancelToken, TraceParent};
use crate::clock::Clock;
use crate::sync::Arc;

/// A value of a context. Shared, so that a detached context can own it too.
type Value = Arc<dyn Any + Send + Sync>;

/// One level of details. Levels are chained from a derived context to the one it came from; a
/// detached context has one level, whatever it came through.
#[derive(Clone, Default)]
pub(super) struct Detail<'p> {
    /// Each token once, the nearest last.
    tokens: SmallVec<[CancelToken; 1]>,
    pub(super) trace: Option<TraceParent>,
    /// Of a detached context, the clock that its deadline is a tick of.
    pub(super) clock: Option<Clock>,
    /// One a type.
    values: SmallVec<[(TypeId, Value); 2]>,
    parent: Option<&'p Detail<'p>>,
}

impl Detail<'_> {
    /// Puts `value` in the place of one of its type.
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

    /// Makes `token` the nearest one.
    pub(super) fn add_token(&mut self, token: CancelToken) {
        self.tokens.retain(|other| !other.is_same(&token));
        self.tokens.push(token);
    }

    /// Takes over what stands in a level further in.
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
    /// Drops the tokens that nobody can cancel any more: that are in these levels alone, which give out none
    /// but their nearest. So a context that is handed on does not collect the tokens of those before it.
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

    /// All levels as one, which borrows nothing.
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

    /// The clock of the nearest level that has one.
    pub(super) fn clock(&self) -> Option<&Clock> {
        self.chain().find_map(|detail| detail.clock.as_ref())
    }

    /// From the nearest one outwards.
    pub(super) fn tokens(&self) -> impl Iterator<Item = &CancelToken> {
        self.chain().flat_map(|detail| detail.tokens.iter().rev())
    }

    /// From the innermost level outwards.
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
