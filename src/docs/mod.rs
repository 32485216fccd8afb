//! Long pages.

#[doc = include_str!("guide.md")]
pub mod guide {}

#[doc = include_str!("internals.md")]
pub mod internals {}

#[doc = include_str!("orderings.md")]
pub mod orderings {}

#[doc = include_str!("limitations.md")]
pub mod limitations {}
