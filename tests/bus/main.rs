//! A single dispatch through any handle and lane: its reply, its panics, its wake-ups, and the drop
//! of its message.

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
