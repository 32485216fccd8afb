//! The layers of `arcbus::middleware`, each of them tested through a bus.

#[path = "../support/acts.rs"]
mod acts;
#[path = "../support/asking.rs"]
mod asking;
#[path = "../support/cache_support.rs"]
mod cache_support;
#[path = "../support/hasty.rs"]
mod hasty;
#[path = "../support/hostile.rs"]
mod hostile;
#[path = "../support/jobs.rs"]
mod jobs;
#[path = "../support/worker.rs"]
mod worker;

mod admission;
mod cancellation;
mod clocks;
mod compose;
mod explain;
mod nested;
mod observe;
mod replay;
mod resilience;
mod set_back;
mod settings;
mod swaps;
mod verdict;
mod wakers;
mod writers;
