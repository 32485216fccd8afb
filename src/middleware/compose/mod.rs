//! Layers that combine other layers, or stand in for them.

pub mod chaos;
pub mod map_error;
pub mod production;
pub mod when;
