//! One dispatch, whatever handle and lane it takes: what it answers, what it does with a panic, how
//! it waits and is woken, and what becomes of the message.

#[path = "../support/acts.rs"]
mod acts;

mod batch;
mod ending;
mod frames;
mod handles;
mod messages;
mod nested;
mod panics;
mod support;
mod wakes;
