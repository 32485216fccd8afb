//! The registry as its users meet it: what it refuses, what it lists, who may call it, and when what
//! was taken out of it is dropped.

mod drops;
mod errors;
mod layers;
mod lifetimes;
mod listing;
mod reentry;
mod retired;
mod support;
mod updates;
