//! Long pages.

#[doc = include_str!("guide.md")]
pub mod guide {}

#[doc = include_str!("errors.md")]
pub mod errors {}

#[doc = include_str!("shapes.md")]
pub mod shapes {}

#[doc = include_str!("type_errors.md")]
pub mod type_errors {}

#[doc = include_str!("internals.md")]
pub mod internals {}

#[doc = include_str!("orderings.md")]
pub mod orderings {}

#[doc = include_str!("models.md")]
pub mod models {}

#[doc = include_str!("assurance.md")]
pub mod assurance {}

#[doc = include_str!("limitations.md")]
pub mod limitations {}

// The pictures: links to files lead nowhere in rendered pages. Of two definitions of a link the first
// holds, so here it is the picture itself.
#[doc = include_str!("plots/embedded.md")]
#[doc = include_str!("simulation.md")]
pub mod simulation {}
