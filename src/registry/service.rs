//! [`Service`]: the handlers of several messages in one type.

use super::batch::Batch;
use crate::message::Kind;
use crate::sync::Arc;

/// The handlers of several messages of the kind `K`, under layers of the type `S`.
///
/// The macro [`#[handlers]`](crate::handlers) implements this trait, together with a
/// [`Handler`](crate::Handler) for each method that has `#[handler]`. The method `.service(..)` of
/// a builder, a registrar or a batch registers the service.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no handlers for a bus of kind `{K}`",
    label = "no `impl {Self}` has `#[handlers(..)]` with the kind `{K}`",
    note = "write `#[arcbus::handlers(Command)]` or `#[arcbus::handlers(Query)]` before `impl {Self}`, and `#[handler]` before each method that handles a message"
)]
pub trait Service<K: Kind, S>: Send + Sync + Sized + 'static {
    /// Adds a registration of each message to `batch`.
    fn register(service: &Arc<Self>, batch: &mut Batch<K, S>);
}
