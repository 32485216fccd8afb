//! [`Bulkhead`]: bounds the number of running dispatches, with a bounded queue for later ones.
//!
//! The name comes from the walls that keep a ship afloat when one compartment is flooded (M. Nygard,
//! "Release It!", 2007). A slow backend holds its own permits only, instead of every thread and
//! connection of the program.
//!
//! ```
//! use arcbus::middleware::Bulkhead;
//! use arcbus::{Command, CommandBus, Context, Message, from_fn};
//!
//! struct Print(&'static str);
//!
//! impl Message for Print {
//!     const NAME: &'static str = "print";
//!     type Kind = Command;
//!     type Reply = usize;
//!     type Error = std::convert::Infallible;
//! }
//!
//! let bulkhead = Bulkhead::new(2);
//! let handles = bulkhead.handles();
//! let bus = CommandBus::builder()
//!     .layer(bulkhead)
//!     .register(from_fn(|msg: Print, _: &Context<'_>| Ok(msg.0.len())))
//!     .build()?;
//! assert_eq!(bus.execute_blocking(Print("page")), Ok(4));
//!
//! let policy = handles.get("print").expect("registered");
//! assert_eq!((policy.usage().in_use, policy.usage().limit), (0, 2));
//! policy.set_limit(8)?;
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```
//!
//! # Cost
//!
//! A dispatch that finds a permit costs one locked instruction on the way in and one on the way out.
//! With or without a queue, such a dispatch takes no lock and reads no clock. A lock is taken by a
//! dispatch that finds no permit, and by waiters when they are woken or leave. Giving a permit back
//! takes the lock only while a message waits. A waiter arms an alarm of the clock. The queue takes 32
//! bytes a place, allocated when the route is registered.
//!
//! A handler that dispatches to its own route holds one permit while waiting for another. If such
//! handlers hold all permits, they wait until their time is over.

mod layer;
mod middleware;
mod policy;
mod queue;

pub use layer::{Bulkhead, NoQueue, Queue};
pub use middleware::BulkheadGate;
pub use policy::{BulkheadPolicy, BulkheadUsage, Permit, Turn};
pub use queue::BulkheadQueue;
