//! The layers that run the rest of a pipeline more than once, or not at all.

mod budget;
