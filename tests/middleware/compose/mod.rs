//! Layers that combine or stand in for others.

mod chaos;
mod map_error;
mod production;
mod sharing;
mod when;
