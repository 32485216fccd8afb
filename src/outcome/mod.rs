//! The outcome of a dispatch: a reply or an [`Error`], and the meaning of each error for the
//! policies.

mod class;
mod classify;
mod error;
mod kind;
mod panicked;
mod phase;
mod rejection;
mod repeat;
mod verdict;
mod violations;

pub use class::Class;
pub use classify::Classify;
pub use error::{Error, Outcome, TimeLimit};
pub use kind::ErrorKind;
pub use phase::Phase;
pub use rejection::{Rejection, RejectionKind};
pub use repeat::{Idempotent, Repeatable, Repeats};
pub use verdict::Verdict;
pub use violations::{Violation, Violations};

pub(crate) use panicked::panicked;
pub(crate) use repeat::{is_worth_repeating, may_repeat};
pub(crate) use verdict::Ending;
