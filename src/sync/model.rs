//! The primitives of a model build.
