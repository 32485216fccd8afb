//! The layers of `arcbus::middleware`, through a bus.

#[path = "../support/acts.rs"]
mod acts;

mod authorize;
mod chaos;
mod map_error;
mod settings;
mod validation;
mod verdict;
mod when;
