//! One dispatch, whatever handle and lane it takes: its answer, its panics, how it waits and is woken,
//! and the end of its message.

#[path = "../support/acts.rs"]
mod acts;

mod auto_traits;
mod batch;
mod ending;
mod frames;
mod handles;
mod messages;
mod nested;
mod panics;
mod safety;
mod support;
#[cfg(feature = "testing")]
mod testing;
mod wakes;
