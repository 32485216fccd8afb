//! Retries of queries and commands, tested through a bus in both lanes.

mod attempts;
mod backoff;
mod budgets;
mod errors;
mod inside;
mod interrupted;
mod pauses;
mod readings;
mod settings;
