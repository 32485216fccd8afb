//! Layers that combine other layers, or that stand around any of them.

mod chaos;
mod map_error;
mod production;
mod sharing;
mod when;
