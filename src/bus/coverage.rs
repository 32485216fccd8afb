//! [`Coverage`]: finds the layers and scopes of a builder that have no handler.

use std::panic::Location;

use crate::registry::{RegistrationError, UnusedLayers};

pub(super) use crate::registry::LayerCall as Call;

/// The layers and scopes of a builder, with a record of which of them have a handler after them. A
/// running scope has a coverage of its own.
#[derive(Default)]
pub(super) struct Coverage {
    /// The calls that added layers, outermost first, without those whose layers are all switched
    /// off.
    added: Vec<UnusedLayers>,
    /// Number of these calls, from the outermost, that have a handler after them.
    covered: usize,
    has_handler: bool,
    /// The calls without a handler after them, from scopes that have ended.
    unused: Vec<UnusedLayers>,
    /// True when the builder is complete, so that no more handlers can be added.
    complete: bool,
    /// Number of scopes that enclose this one.
    depth: usize,
}

impl Coverage {
    /// Adds the names of the layers that one call has added.
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

    /// Records a handler that stands inside all layers added so far.
    pub(super) fn add_handler(&mut self) {
        self.covered = self.added.len();
        self.has_handler = true;
    }

    /// Records that no more handlers can be added, so that the last layers and each scope need one,
    /// too.
    pub(super) fn complete(&mut self) {
        self.complete = true;
    }

    /// Returns the coverage of a scope that begins inside this one.
    pub(super) fn begin_scope(&self) -> Self {
        Self {
            depth: self.depth + 1,
            ..Self::default()
        }
    }

    /// Merges the coverage of a scope that has ended. At another depth, the scope belongs to
    /// another builder.
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

    /// Returns the error of a builder with layers or scopes that have no handler after them.
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
