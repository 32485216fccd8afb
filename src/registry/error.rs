//! [`RegistrationError`]: the reasons why a registration is rejected.

use std::fmt;

use super::unused::UnusedLayers;
use crate::explain::Warning;
use crate::message::MessageType;
use crate::pipeline::Tied;
use crate::setting::InvalidSetting;

/// The reason why a registration was rejected, after which nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RegistrationError {
    /// The message type already has a handler, which only `replace` can change.
    Duplicate {
        /// The message whose second handler was rejected.
        message: MessageType,
    },
    /// The message's name is empty or consists of white space.
    EmptyName {
        /// The message whose name is empty or blank.
        message: MessageType,
    },
    /// The name of the message already belongs to another message type on this bus.
    NameClash {
        /// The message that was rejected because of its name.
        message: MessageType,
        /// The message that has the name already, and keeps it.
        holder: MessageType,
    },
    /// The message has no handler that could be replaced or deregistered.
    NotRegistered {
        /// The message that has no handler on this bus.
        message: MessageType,
    },
    /// A setting of the builder or of a layer is out of range.
    InvalidSetting(InvalidSetting),
    /// Layers around the message's handler stand in a dangerous order, and the bus is
    /// [strict](crate::BusBuilder::build_strict).
    DangerousOrder {
        /// The message whose layers stand in a dangerous order.
        message: MessageType,
        /// All warnings about these layers, at least one.
        warnings: Vec<Warning>,
    },
    /// A layer around the message's handler shares state with a bus that has a different clock.
    AnotherClock {
        /// The message whose handler the layer wraps.
        message: MessageType,
        /// The name of the layer that shares state.
        layer: &'static str,
    },
    /// Layers or scopes of a builder have no handler after them, and therefore guard nothing. A
    /// layer guards the handlers that are registered after it.
    UnusedLayers {
        /// All such layers, with an entry for each call that added some, at least one.
        unused: Vec<UnusedLayers>,
    },
}

impl fmt::Display for RegistrationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Duplicate { message } => write!(
                f,
                "message {message} has a handler already: use `replace` to change it"
            ),
            Self::EmptyName { message } => write!(
                f,
                "message {} has {} `NAME`: give it one that is unique in the bus",
                message.type_name(),
                if message.name().is_empty() {
                    "an empty"
                } else {
                    "a blank"
                }
            ),
            Self::NameClash { message, holder } => write!(
                f,
                "message {message} has the same `NAME` as {}: names are unique in a bus, so give one of them another, \
                 by `#[message(name = \"..\")]` where the name is derived from the type's",
                holder.type_name()
            ),
            Self::NotRegistered { message } => write!(
                f,
                "message {message} has no handler: use `register` to add one"
            ),
            Self::InvalidSetting(invalid) => invalid.fmt(f),
            Self::DangerousOrder { message, warnings } => {
                write!(f, "message {message} has layers in a dangerous order")?;
                warnings
                    .iter()
                    .try_for_each(|warning| write!(f, "\n  {warning}"))
            }
            Self::AnotherClock { message, layer } => write!(
                f,
                "the layer `{layer}` around message {message} shares its state with a bus that has another \
                 clock: give both buses one clock, `.clock(clock.clone())`, or each its own layer"
            ),
            Self::UnusedLayers { unused } => {
                let lines: Vec<_> = unused.iter().map(ToString::to_string).collect();
                f.write_str(&lines.join("\n"))
            }
        }
    }
}

impl std::error::Error for RegistrationError {}

impl From<&Tied> for RegistrationError {
    fn from(tied: &Tied) -> Self {
        let Tied { message, layer, .. } = *tied;
        Self::AnotherClock { message, layer }
    }
}

impl From<InvalidSetting> for RegistrationError {
    fn from(invalid: InvalidSetting) -> Self {
        Self::InvalidSetting(invalid)
    }
}
