//! What travels with a dispatch: limits, cancellation, trace, values, and what is derived from them.

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
