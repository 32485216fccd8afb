#![doc = include_str!("../README.md")]

#[macro_use]
mod debug;

pub mod bounds;
mod bus;
mod clock;
mod context;
pub mod docs;
mod explain;
mod handler;
mod message;
pub mod metrics;
pub mod middleware;
mod outcome;
mod pipeline;
mod random;
#[cfg(all(test, not(arcbus_loom)))]
mod reach;
mod registry;
mod setting;
mod sync;
#[cfg(feature = "testing")]
pub mod testing;
mod type_map;

pub use bus::{Bus, BusBuilder, CommandBus, Dispatch, LocalBus, QueryBus, Route, Routes};
pub use clock::{Clock, FakeClock};
pub use context::{CancelToken, Cancelled, Context, Source, TraceParent, TraceParentError};
pub use explain::{Explanation, Warning};
pub use handler::{
    AsyncFnHandler, AsyncWithHandler, DetachedFnHandler, FnHandler, Handler, from_async_fn,
    from_async_fn_with, from_detached_fn, from_fn,
};
pub use message::{Command, Kind, Message, MessageType, Query, Same};
pub use outcome::{
    Class, Classify, Error, ErrorKind, Idempotent, Outcome, Phase, Rejection, RejectionKind,
    Repeatable, Repeats, TimeLimit, Verdict, Violation, Violations,
};
pub use pipeline::{
    Answer, Answered, Boxed, Enqueue, Enqueued, Facts, Gate, Gated, GuardGate, Hold, InPlace,
    InspectGate, Joined, Layer, LayerExt, LayerInfo, Layers, Look, Middleware, More, Next,
    NoLayers, Recover, Recovered, Role, RouteInfo, Shared, Stack, Wrapped, guard, inspect,
};
pub use registry::{Batch, Drained, Registrar, RegistrationError, Retired, Service, UnusedLayers};
pub use setting::InvalidSetting;

#[cfg(feature = "derive")]
pub use arcbus_macros::{Classify, Command, Query, handler, handlers};

/// Items that the expansions of this crate's macros name, which are not meant for any other use.
#[doc(hidden)]
pub mod __private {
    pub use crate::bus::{StaticClock, assert_kind, block_static, start_static};
    pub use crate::pipeline::{Blocked, Leaf, Roles, Stopped};
}

/// Internals that the concurrency models can reach, in builds for the models only.
#[cfg(arcbus_loom)]
#[doc(hidden)]
pub mod __model {
    pub use crate::middleware::singleflight::model::{Airport, Boarding, Lead, Wait, Waited};
    pub use crate::sync::{Parking, Published, Words, weaken};
}
