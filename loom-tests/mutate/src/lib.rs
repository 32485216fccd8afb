//! A tool that weakens each atomic access and fence of `src/` in turn, and runs the models that must then
//! fail.
//!
//! The command `loom-tests/mutate.sh` runs this tool. The file `rooms.toml` says which models check a folder
//! of the source, and explains each mutant that no model fails on.

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

/// The result of a step of the tool, whose error is a text for the user.
pub type Fallible<T> = Result<T, Box<dyn std::error::Error>>;

/// Returns the root of the repository that this tool was built in.
#[must_use]
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}
