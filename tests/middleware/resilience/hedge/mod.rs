//! Hedges: the start of each attempt, the choice of the outcome, and the cleanup of the losers.

mod delay;
mod drops;
mod errors;
mod quantile;
mod replicas;
mod settings;
mod winning;
