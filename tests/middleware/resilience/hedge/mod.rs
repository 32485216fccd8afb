//! Hedges: when they are begun, which attempt is the outcome, and what is left behind.

mod delay;
mod drops;
mod errors;
mod quantile;
mod replicas;
mod settings;
mod winning;
