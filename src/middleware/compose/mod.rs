//! Layers that combine or stand in for others.

pub mod chaos;
pub mod map_error;
pub mod production;
pub mod when;
