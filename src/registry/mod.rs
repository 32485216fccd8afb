//! The registry: an immutable table from message types to routes, which writers replace.

mod batch;
mod erased;
mod error;
mod registrar;
mod retired;
mod service;
mod store;
mod table;
mod tomb;
mod unhandled;
mod unused;

pub use batch::Batch;
pub use error::RegistrationError;
pub use registrar::Registrar;
pub use retired::{Drained, Retired};
pub use service::Service;
pub use unused::UnusedLayers;

pub(crate) use batch::Changes;
pub(crate) use erased::{Frame, Launch, Out, Pinned, Typed, Written};
pub(crate) use store::Store;
pub(crate) use table::{Names, Table};
pub(crate) use unhandled::{Unhandled, UnhandledCount};
pub(crate) use unused::LayerCall;
