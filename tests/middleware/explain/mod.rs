//! `Bus::explain` and strict buses.

mod every_layer;
mod figures;
mod orders;
mod stand_ins;
mod strict;
mod text;
