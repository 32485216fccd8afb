//! Idempotency keys in SQLite, and a card that is charged once, even if the process dies between
//! the charge and the reply.

mod cards;
mod store;

pub use cards::{BankError, Cards, Charge, Crash, Receipt};
pub use store::{SqliteStore, Stored};
