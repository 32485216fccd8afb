//! The pipeline of a route: middleware around a handler, in one monomorphised type.
//!
//! The pipeline of a route is a [`Leaf`] around the handler, with a [`Chain`] link around it for each layer.
//! The pipeline is one concrete type, so the compiler optimises across all layers. The registry erases that
//! type once, where the pipeline is stored.

mod answer;
mod answered;
mod chain;
mod enqueue;
mod enqueued;
mod extract;
mod facts;
mod gate;
mod gated;
mod layer;
mod leaf;
mod lease;
mod limited;
mod middleware;
mod optional;
mod park;
mod previous;
mod recover;
mod recovered;
mod role;
mod selected;
mod settling;
mod shared;
mod small;
mod stack;
mod tie;
mod timed;
mod type_name;
mod validate;

pub use answer::{Answer, Look};
pub use answered::Answered;
pub use enqueue::Enqueue;
pub use enqueued::Enqueued;
pub use extract::{ErrorPredicate, Extract, InContext};
pub use facts::Facts;
pub use gate::Gate;
pub use gated::Gated;
pub use layer::{Layer, LayerInfo, RouteInfo};
pub use leaf::Leaf;
pub use limited::Limited;
pub use middleware::{Middleware, Next};
pub use recover::Recover;
pub use recovered::{Boxed, Hold, InPlace, Recovered};
pub use role::{Role, Roles};
pub use selected::Selected;
pub use shared::{LayerExt, Shared, Wrapped};
pub use small::{GuardGate, InspectGate, guard, inspect};
pub use stack::{Joined, Layers, More, NoLayers, Stack};

pub(crate) use lease::{Home, Lease, Owner};
pub(crate) use limited::Limit;
pub(crate) use optional::Either;
pub use park::{Blocked, Stopped};
pub(crate) use park::{Quiet, edge, late, poll_bounded, watch_bounds};
pub(crate) use previous::{Places, Previous};
pub(crate) use settling::Settle;
use settling::Settling;
pub(crate) use tie::{Tie, Tied, Ties};
pub(crate) use type_name::short_type_name;
pub(crate) use validate::validate;
