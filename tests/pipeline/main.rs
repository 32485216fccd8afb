//! The pipeline: which layers stand around a handler, in what order, and what each may do.

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
