//! The pipeline: the layers around a handler, their order, and the effects that each may have.

#[path = "../support/acts.rs"]
mod acts;

mod errors;
mod gates;
mod layers;
mod marks;
mod middleware;
mod panics;
mod shapes;
mod unguarded;
