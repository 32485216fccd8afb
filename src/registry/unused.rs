//! [`UnusedLayers`]: layers without a handler after them.

use std::fmt;
use std::panic::Location;

/// Layers, or a whole scope, of a builder without a handler after them, which therefore guard
/// nothing.
///
/// ```
/// use arcbus::middleware::Bulkhead;
/// use arcbus::{CommandBus, RegistrationError};
///
/// let error = CommandBus::builder().layer(Bulkhead::new(8)).build().unwrap_err();
/// let RegistrationError::UnusedLayers { unused } = error else { panic!("{error}") };
/// assert_eq!(unused[0].layers(), ["Bulkhead"]);
/// assert!(!unused[0].is_in_scope());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnusedLayers {
    call: LayerCall,
    /// The names of the layers, which are empty if the whole scope is unused.
    names: Vec<&'static str>,
    at: &'static Location<'static>,
    in_scope: bool,
}

/// The builder method that was called with the layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LayerCall {
    Layer,
    Wrap,
    Layers,
    EmptyScope,
    OtherBuilder,
}

impl UnusedLayers {
    pub(crate) fn new(
        call: LayerCall,
        names: Vec<&'static str>,
        at: &'static Location<'static>,
    ) -> Self {
        Self {
            call,
            names,
            at,
            in_scope: false,
        }
    }

    pub(crate) fn empty_scope(at: &'static Location<'static>) -> Self {
        Self::new(LayerCall::EmptyScope, Vec::new(), at)
    }

    /// Describes a scope that returns a builder other than its argument.
    pub(crate) fn other_builder(at: &'static Location<'static>) -> Self {
        Self::new(LayerCall::OtherBuilder, Vec::new(), at)
    }

    pub(crate) fn is_empty_scope(&self) -> bool {
        self.call == LayerCall::EmptyScope
    }

    /// Marks the layers as added inside a scope, for the text of the error.
    pub(crate) fn in_a_scope(self) -> Self {
        Self {
            in_scope: true,
            ..self
        }
    }

    /// Returns the type names of the layers, outermost first, without layers that are switched off.
    /// Empty for a scope that has neither layers nor handlers, or that returns another builder.
    #[must_use]
    pub fn layers(&self) -> &[&'static str] {
        &self.names
    }

    /// Returns whether the layers stand inside a scope of the builder.
    #[must_use]
    pub fn is_in_scope(&self) -> bool {
        self.in_scope
    }

    /// Returns the source location at which the layers were added.
    #[must_use]
    pub fn location(&self) -> &'static Location<'static> {
        self.at
    }

    /// Returns the call that adds the layers, such as `.layer(Authorize..)`.
    fn line(&self) -> String {
        match (self.call, &*self.names) {
            (LayerCall::Layer, [name, ..]) => format!(".layer({name}..)"),
            (LayerCall::Wrap, [name, ..]) => format!(".wrap({name}..)"),
            _ => ".layers(&..)".to_owned(),
        }
    }

    fn write_scope(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the scope ({}) ", self.at)?;
        f.write_str(if self.is_empty_scope() {
            "registers no handler: write `.scope(|s| s.layer(..).register(..))`, or leave the scope out"
        } else {
            "gives back another builder than it was given, so the handlers before it are lost, and the \
             layers around it guard nothing: write `.scope(|s| s.layer(..).register(..))`"
        })
    }

    fn write_layers(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (at, line) = (self.at, self.line());
        let (names, has, layers_guard) = match &*self.names {
            [names @ .., last] if !names.is_empty() => (
                format!("layers `{}` and `{last}`", names.join("`, `")),
                "have no handler below them",
                "layers guard",
            ),
            names => (
                format!("layer `{}`", names.concat()),
                "has no handler below it",
                "a layer guards",
            ),
        };
        if self.in_scope {
            write!(
                f,
                "the {names} ({at}) {has} inside the scope: {layers_guard} the handlers registered after, as \
                 far as the scope goes; write `.scope(|s| s{line}.register(..))`"
            )
        } else {
            write!(
                f,
                "the {names} ({at}) {has}: {layers_guard} the handlers registered after; write `{line}` \
                 before `.register(..)`"
            )
        }
    }
}

impl fmt::Display for UnusedLayers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.names.is_empty() {
            self.write_scope(f)
        } else {
            self.write_layers(f)
        }
    }
}
