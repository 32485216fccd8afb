//! [`UnusedLayers`]: layers without a handler below them.

use std::fmt;
use std::panic::Location;

/// Layers, or a whole scope, that a builder was given and that have no handler below them: they would
/// guard nothing.
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
    /// None: a scope.
    names: Vec<&'static str>,
    at: &'static Location<'static>,
    in_scope: bool,
}

/// How a builder was given layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LayerCall {
    Layer,
    Wrap,
    Layers,
    Scope,
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
        Self::new(LayerCall::Scope, Vec::new(), at)
    }

    /// The same layers of a scope.
    pub(crate) fn in_a_scope(self) -> Self {
        Self {
            in_scope: true,
            ..self
        }
    }

    /// The names of the layers by their types, outermost first; those that are switched off are left out.
    /// Empty for a scope that has neither layers nor handlers.
    #[must_use]
    pub fn layers(&self) -> &[&'static str] {
        &self.names
    }

    /// Whether they stand inside a scope of the builder.
    #[must_use]
    pub fn is_in_scope(&self) -> bool {
        self.in_scope
    }

    /// Where the builder was given them.
    #[must_use]
    pub fn location(&self) -> &'static Location<'static> {
        self.at
    }

    /// The call to write: `.layer(Authorize..)`.
    fn line(&self) -> String {
        let name = self.names.first().copied().unwrap_or_default();
        match self.call {
            LayerCall::Layer => format!(".layer({name}..)"),
            LayerCall::Wrap => format!(".wrap({name}..)"),
            LayerCall::Layers | LayerCall::Scope => ".layers(&..)".to_owned(),
        }
    }
}

impl fmt::Display for UnusedLayers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.at;
        let (subject, has, a_layer_guards) = match &*self.names {
            [] => {
                return write!(
                    f,
                    "the scope ({at}) registers no handler: write `.scope(|s| s.layer(..).register(..))`, \
                     or leave the scope out"
                );
            }
            [name] => (
                format!("the layer `{name}`"),
                "has no handler below it",
                "a layer guards",
            ),
            [names @ .., last] => (
                format!("the layers `{}` and `{last}`", names.join("`, `")),
                "have no handler below them",
                "layers guard",
            ),
        };
        let line = self.line();
        if self.in_scope {
            write!(
                f,
                "{subject} ({at}) {has} inside the scope: {a_layer_guards} the handlers registered after, \
                 as far as the scope goes; write `.scope(|s| s{line}.register(..))`"
            )
        } else {
            write!(
                f,
                "{subject} ({at}) {has}: {a_layer_guards} the handlers registered after; write `{line}` \
                 before `.register(..)`"
            )
        }
    }
}
