//! `Bus::explain`, and buses that are built or opened strictly.

mod every_layer;
mod figures;
mod orders;
mod stand_ins;
mod strict;
mod text;
