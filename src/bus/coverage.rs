//! [`Coverage`]: which layers and scopes of a builder have a handler below them.

use std::panic::Location;

use crate::registry::{RegistrationError, UnusedLayers};

pub(super) use crate::registry::LayerCall as Call;

/// Which layers and scopes of a builder have a handler below them; of a scope while it runs, which of its
/// own.
#[derive(Default)]
pub(super) struct Coverage {
    /// The calls that added layers, outermost first, without those whose layers are all switched off.
    added: Vec<UnusedLayers>,
    /// How many of them, from the outermost, have a handler below them.
    covered: usize,
    has_handler: bool,
    /// The calls without a handler below them, of scopes that have ended.
    unused: Vec<UnusedLayers>,
    /// No handler comes any more.
    complete: bool,
    /// How many scopes are around.
    depth: usize,
}

impl Coverage {
    /// Adds the layers of one call, by name.
    pub(super) fn add_layers(
        &mut self,
        call: Call,
        names: &[&'static str],
        at: &'static Location<'static>,
    ) {
        if !names.is_empty() {
            self.added.push(UnusedLayers::new(call, names.to_vec(), at));
        }
    }

    /// A handler stands below all layers so far.
    pub(super) fn add_handler(&mut self) {
        self.covered = self.added.len();
        self.has_handler = true;
    }

    /// No handler comes any more: the last layers need one, too, and so does each scope.
    pub(super) fn complete(&mut self) {
        self.complete = true;
    }

    /// The coverage of a scope that begins.
    pub(super) fn begin_scope(&self) -> Self {
        Self {
            depth: self.depth + 1,
            ..Self::default()
        }
    }

    /// Takes up the coverage of a scope that has ended; of another depth, it is that of another builder.
    pub(super) fn end_scope(&mut self, scope: Self, at: &'static Location<'static>) {
        if scope.depth != self.depth + 1 {
            self.unused.push(UnusedLayers::other_builder(at));
            return;
        }
        let has_handler = scope.has_handler;
        let unused = scope.into_unused();
        if has_handler {
            self.add_handler();
        } else if unused.is_empty() {
            self.unused.push(UnusedLayers::empty_scope(at));
        }
        self.unused
            .extend(unused.into_iter().map(UnusedLayers::in_a_scope));
    }

    fn into_unused(mut self) -> Vec<UnusedLayers> {
        let mut unused = self.unused;
        unused.extend(self.added.drain(self.covered..));
        unused
    }

    /// The refusal of a builder with layers or scopes that have no handler below them.
    pub(super) fn refusal(mut self) -> Option<RegistrationError> {
        if !self.complete {
            self.added.clear();
            self.covered = 0;
            self.unused.retain(|unused| !unused.is_empty_scope());
        }
        let unused = self.into_unused();
        (!unused.is_empty()).then_some(RegistrationError::UnusedLayers { unused })
    }
}
