//! The real primitives under threads that race: each value is counted in and out, and each answer is
//! compared with the versions that were live during its call.

mod ledger;
mod linearizability;
