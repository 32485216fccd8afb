//! The layers that run the rest of a pipeline more than once, or not at all.

#[path = "../support/acts.rs"]
mod acts;

mod asking;
mod budget;
mod fallback;
mod hedge;
mod retry;
