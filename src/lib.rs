#![doc = include_str!("../README.md")]

pub mod bounds;
mod bus;
mod clock;
mod context;
pub mod docs;
mod error;
mod explain;
mod handler;
mod message;
pub mod metrics;
pub mod middleware;
mod nanos;
mod pipeline;
mod random;
mod registry;
mod rejection;
mod repeat;
mod setting;
mod sync;
#[cfg(feature = "testing")]
pub mod testing;
mod unhandled;
mod unwind;
mod verdict;
mod violations;

pub use bus::{Bus, BusBuilder, CommandBus, Dispatch, LocalBus, QueryBus, Route, Routes};
pub use clock::{Clock, FakeClock};
pub use context::{CancelToken, Cancelled, Context, Source, TraceParent, TraceParentError};
pub use error::{Error, Outcome, Phase, TimeLimit};
pub use explain::{Explanation, Warning};
pub use handler::{
    AsyncFnHandler, AsyncHandlerFn, AsyncWithHandler, AsyncWithHandlerFn, DetachedFnHandler,
    FnHandler, Handler, from_async_fn, from_async_fn_with, from_detached_fn, from_fn,
};
pub use message::{Class, Command, Kind, Message, MessageType, Query, Same};
pub use pipeline::{
    Facts, Gate, Gated, Guard, Inspect, Joined, Layer, LayerExt, LayerInfo, Layers, Middleware,
    More, Next, NoLayers, Role, RouteInfo, Shared, Stack, Wrapped, guard, inspect,
};
pub use registry::{Batch, Drained, Registrar, RegistrationError, Retired, UnusedLayers};
pub use rejection::{Rejection, RejectionKind};
pub use repeat::{Idempotent, Repeatable, Repeats};
pub use setting::InvalidSetting;
pub use verdict::Verdict;
pub use violations::{Violation, Violations};

/// What the macros expand to.
#[doc(hidden)]
pub mod __private {
    pub use crate::bus::{StaticClock, assert_kind, block_static, start_static};
    pub use crate::pipeline::{Blocked, Leaf, Roles, Stopped};
}

/// What the models reach of the internals.
#[cfg(arcbus_loom)]
#[doc(hidden)]
pub mod __model {
    pub use crate::middleware::flights::model::{Airport, Boarding, Lead, Wait, Waited};
    pub use crate::sync::{Parking, Published, Words, weaken};
}
