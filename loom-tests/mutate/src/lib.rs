//! Mutation of orderings: weakens each atomic access and fence of `src/` in turn, and runs the models
//! that must fail then.
//!
//! `loom-tests/mutate.sh` is the command, `rooms.toml` says which models check a folder of the source
//! and explains each mutant that no model fails on.

pub mod docs;
pub mod find;
pub mod mutation;
pub mod report;
pub mod rewrite;
pub mod rooms;
pub mod run;
pub mod tests_of;
pub mod tree;

use std::path::PathBuf;

/// Any failure of the tool, to be read by a person.
pub type Fallible<T> = Result<T, Box<dyn std::error::Error>>;

/// Returns the root of the repository.
#[must_use]
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}
