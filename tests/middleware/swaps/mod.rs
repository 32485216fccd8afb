//! The state that the layers of a route keep when its handler is replaced.

mod kept;
mod limits;
mod new;
mod places;
mod rig;
