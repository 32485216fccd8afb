//! The real primitives under racing threads. Each value is counted in and out, and each reply is
//! compared with the versions that were live during its call.

mod ledger;
mod linearizability;
