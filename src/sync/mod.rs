//! The primitives on which all concurrent code of this crate is built.
//!
//! This is the only module that names `std::sync`, `std::thread`, `parking_lot`, `arc_swap` or
//! `loom`. Under the cfg `arcbus_loom`, each name stands for its modelled counterpart, so
//! the models in `loom-tests/` check the code that ships.

mod counts;
mod kept_waker;
#[cfg(arcbus_loom)]
mod model;
mod parker;
#[cfg(not(arcbus_loom))]
mod real;
mod slot;
mod unwind;
mod versioned;
mod wait_queue;

pub(crate) use counts::Counts;
pub(crate) use kept_waker::KeptWaker;
#[cfg(arcbus_loom)]
pub(crate) use model::*;
#[cfg(arcbus_loom)]
pub use model::{Parking, Published, Words, weaken};
pub(crate) use parker::Parker;
#[cfg(not(arcbus_loom))]
pub(crate) use real::*;
pub(crate) use slot::Slots;
pub(crate) use unwind::{drop_caught, unless_done, wake_caught};
pub(crate) use versioned::Versioned;
pub(crate) use wait_queue::{Place, WaitQueue};

/// An owner of a [`Snapshot`] that [`Cached`] can follow.
pub(crate) trait Publishes<T> {
    fn snapshot(&self) -> &Snapshot<T>;
}
