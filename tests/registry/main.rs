//! The registry from the outside: rejected changes, the list of routes, re-entry, and the drops of
//! retired handlers.

mod drops;
mod errors;
mod layers;
mod lifetimes;
mod listing;
mod reentry;
mod retired;
mod support;
mod updates;
