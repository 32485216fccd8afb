//! Contents of a context: limits, cancellation, trace, values, and contexts derived from these.

#[path = "../support/acts.rs"]
mod acts;
#[path = "../support/hostile.rs"]
mod hostile;

mod cancel;
mod clocks;
mod derived;
mod hops;
mod limits;
mod nested;
mod timing;
mod trace;
mod values;
mod wakers;
