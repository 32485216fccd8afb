//! `Bus::explain` and strict buses.

mod figures;
mod orders;
mod stand_ins;
mod strict;
mod text;
