//! Idempotency keys in SQLite, and a card that is charged once: also when the process dies between
//! charging it and answering.

mod cards;
mod store;

pub use cards::{BankError, Cards, Charge, Crash, Receipt};
pub use store::{SqliteStore, Stored};
