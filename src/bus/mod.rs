//! Bus handles, which dispatch messages, and their builder.

mod batch;
mod builder;
mod coverage;
mod dispatch;
mod execute;
mod handle;
mod local;
mod route;
mod static_bus;

pub use builder::BusBuilder;
pub use dispatch::Dispatch;
pub use handle::{Bus, CommandBus, QueryBus};
pub use local::LocalBus;
pub use route::Route;
pub use static_bus::{Routes, StaticClock, assert_kind, block_static, start_static};
