//! The allocations of a dispatch, counted by an allocator.

#[path = "../support/counting.rs"]
mod counting;

mod dispatch;
mod middleware;

use counting::Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;
