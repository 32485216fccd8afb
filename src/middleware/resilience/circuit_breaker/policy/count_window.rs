//! [`CountWindow`]: the last calls up to a fixed number, with one bit for each.

#![cfg_attr(
    arcbus_loom,
    allow(clippy::modulo_one, reason = "a model has one bit a block")
)]

use super::rules::{Health, Rules};
use super::window::{Counts, SlidingWindow};
use crate::sync::{AtomicU64, Ordering};

pub(super) const LONGEST: u32 = 10_000;

/// A ring of bits for the calls that failed, and another for the slow calls. A call takes the next position,
/// and a good call does nothing more. Bits of the previous lap are recognised by their stamp, so no thread
/// has to clear them. So the window is exact, to the call, and a good call writes one word.
///
/// (resilience4j and recloser keep rings of outcomes, too, with a running sum, behind a lock. Here the bits
/// are summed up when a bad call is counted.)
#[derive(Debug)]
pub(super) struct CountWindow {
    length: u32,
    sequence: Sequence,
    failed: Box<[Block]>,
    slow: Box<[Block]>,
}

/// The position of a call, and the number of calls in the window that ends with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Position {
    index: u32,
    calls: u32,
}

impl CountWindow {
    pub(super) fn new(length: u32) -> Self {
        // A power of two, so that the ring continues evenly where positions wrap. Two more than the full
        // blocks, because a window begins and ends within a block.
        let blocks = (length / BITS + 2).next_power_of_two();
        let ring = || (0..blocks).map(|_| Block::default()).collect();
        Self {
            length,
            sequence: Sequence::default(),
            failed: ring(),
            slow: ring(),
        }
    }

    /// Returns whether the window has moved past this position, so that its block may be reused.
    fn is_past(&self, epoch: u32, position: Position) -> bool {
        self.last(epoch)
            .is_none_or(|last| last.index.wrapping_sub(position.index) & INDEX >= self.length)
    }

    /// Returns the counts of the window that ends with `position`.
    pub(super) fn counts(&self, epoch: u32, position: Position) -> Counts {
        Counts {
            calls: u64::from(position.calls),
            failures: sum(&self.failed, epoch, position),
            slow: sum(&self.slow, epoch, position),
        }
    }

    /// Returns the position of the last call that was counted in this epoch.
    pub(super) fn last(&self, epoch: u32) -> Option<Position> {
        self.sequence.last(epoch, self.length)
    }
}

impl SlidingWindow for CountWindow {
    type Place = Position;

    const ASKS_TIME: bool = false;

    #[inline(always)]
    fn count(&self, epoch: u32, _ended: u64) -> Option<Position> {
        self.sequence.next(epoch, self.length)
    }

    fn mark(&self, epoch: u32, position: Position, failed: bool, slow: bool) {
        let is_past = || self.is_past(epoch, position);
        if failed {
            block(&self.failed, position.index).set(epoch, position.index, is_past);
        }
        if slow {
            block(&self.slow, position.index).set(epoch, position.index, is_past);
        }
    }

    /// Concurrent calls take positions in one order and mark them in another. So a short window may have
    /// moved past this call when it is judged.
    fn judge(&self, epoch: u32, position: Position, rules: &Rules) -> Health {
        let then = rules.judge(self.counts(epoch, position));
        match self.last(epoch) {
            Some(last) if last != position => then.max(rules.judge(self.counts(epoch, last))),
            _ => then,
        }
    }

    fn latest(&self, epoch: u32) -> Counts {
        let last = self.last(epoch);
        last.map_or(Counts::default(), |last| self.counts(epoch, last))
    }
}

fn block(ring: &[Block], index: u32) -> &Block {
    &ring[(index / BITS) as usize % ring.len()]
}

/// Returns the number of bits that are set at the `calls` positions up to `end`.
fn sum(ring: &[Block], epoch: u32, end: Position) -> u64 {
    let begin = end.index.wrapping_sub(end.calls - 1) & INDEX;
    let blocks = (end.index / BITS).wrapping_sub(begin / BITS) & (INDEX / BITS);
    let bits = |nth: u32| {
        let index = begin.wrapping_add(nth * BITS) & INDEX;
        let from = if nth == 0 { begin % BITS } else { 0 };
        let to = if nth == blocks {
            end.index % BITS
        } else {
            BITS - 1
        };
        let bits = block(ring, index).get(epoch, index);
        u64::from((bits >> from << from & (u32::MAX >> (31 - to))).count_ones())
    };
    (0..=blocks).map(bits).sum()
}

/// The position of the next call: `epoch << 32 | full << 31 | index`, with the index modulo 2^31. `full` is
/// set once there were as many calls as the window is long.
///
/// Relaxed, for the reason given at `Tally`. A thread that reuses a [`Block`] publishes how far the sequence
/// has advanced.
#[derive(Debug, Default)]
struct Sequence(AtomicU64);

const FULL: u64 = 1 << 31;
const INDEX: u32 = (1 << 31) - 1;
const INDEX_BITS: u64 = INDEX as u64;
/// An epoch farther ahead than this was held until the epochs wrapped.
const AHEAD: u32 = 1 << 20;

impl Sequence {
    #[inline(always)]
    fn next(&self, epoch: u32, length: u32) -> Option<Position> {
        let held = self.0.load(Ordering::Relaxed);
        let next = held.wrapping_add(1);
        // In the middle of a full window of this epoch, the next index is one more.
        let full = u64::from(epoch) << 32 | FULL;
        if held & !INDEX_BITS == full && next & !INDEX_BITS == full && self.swap(held, next) {
            Some(position(held, length))
        } else {
            self.next_again(epoch, length)
        }
    }

    #[cold]
    #[inline(never)]
    fn next_again(&self, epoch: u32, length: u32) -> Option<Position> {
        loop {
            let held = self.0.load(Ordering::Relaxed);
            let from = match epoch_of(held).wrapping_sub(epoch) {
                0 => held,
                1..AHEAD => return None,
                _ => u64::from(epoch) << 32,
            };
            let position = position(from, length);
            if self.swap(held, after(from, position, length)) {
                return Some(position);
            }
        }
    }

    #[inline(always)]
    fn swap(&self, held: u64, next: u64) -> bool {
        self.0
            .compare_exchange(held, next, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
    }

    /// Returns the last position that was taken, or `None` if none was taken in this epoch.
    fn last(&self, epoch: u32, length: u32) -> Option<Position> {
        let held = self.0.load(Ordering::Relaxed);
        let next = position(held, length);
        let taken = if held & FULL == 0 {
            next.calls - 1
        } else {
            length
        };
        (epoch_of(held) == epoch && taken > 0).then_some(Position {
            index: next.index.wrapping_sub(1) & INDEX,
            calls: taken,
        })
    }
}

#[inline(always)]
fn epoch_of(held: u64) -> u32 {
    (held >> 32) as u32
}

/// Returns the position that is taken next.
#[inline(always)]
fn position(held: u64, length: u32) -> Position {
    let index = held as u32 & INDEX;
    let calls = if held & FULL == 0 { index + 1 } else { length };
    Position { index, calls }
}

#[inline(always)]
fn after(held: u64, taken: Position, length: u32) -> u64 {
    let full = if taken.calls == length { FULL } else { 0 };
    let next = taken.index.wrapping_add(1) & INDEX;
    u64::from(epoch_of(held)) << 32 | full | u64::from(next)
}

/// The number of calls in a block: one in a model, so that blocks are soon reused.
const BITS: u32 = if cfg!(arcbus_loom) { 1 } else { 16 };

/// A bit for each of sixteen calls, under a stamp of 48 bits: 21 of the epoch, and 27 for the number of the
/// block. A bit that is never overwritten is found again after 2^31 calls, which is tolerated.
#[derive(Debug, Default)]
struct Block(AtomicU64);

impl Block {
    /// Sets the bit of `index`, unless the block was reused and `is_past` returns `true`.
    fn set(&self, epoch: u32, index: u32, is_past: impl Fn() -> bool) {
        let empty = stamp(epoch, index) << BITS;
        loop {
            // Acquire: pairs with the Release below. A thread that finds a later block here sees the sequence
            // at least as far, so `is_past` is then true. Model: `circuit_breaker`.
            let held = self.0.load(Ordering::Acquire);
            let is_mine = held >> BITS == empty >> BITS;
            if !is_mine && is_past() {
                return;
            }
            let next = if is_mine { held } else { empty } | 1 << (index % BITS);
            // Relaxed on failure, because the load above is repeated.
            let swapped = self
                .0
                .compare_exchange(held, next, Ordering::Release, Ordering::Relaxed);
            if swapped.is_ok() {
                return;
            }
        }
    }

    /// Returns the bits of the block in which `index` lies.
    fn get(&self, epoch: u32, index: u32) -> u32 {
        let held = self.0.load(Ordering::Relaxed);
        if held >> BITS == stamp(epoch, index) {
            held as u32 & ((1 << BITS) - 1)
        } else {
            0
        }
    }
}

fn stamp(epoch: u32, index: u32) -> u64 {
    u64::from(epoch % (1 << 21)) << 27 | u64::from(index / BITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts a call that failed or succeeded.
    fn call(window: &CountWindow, epoch: u32, failed: bool) {
        let position = window.count(epoch, 0).expect("in the epoch");
        if failed {
            window.mark(epoch, position, true, false);
        }
    }

    fn failures(window: &CountWindow, epoch: u32) -> (u64, u64) {
        let counts = window.latest(epoch);
        (counts.failures, counts.calls)
    }

    #[test]
    fn slides_call_by_call() {
        for length in [1, 2, 3, 15, 16, 17, 31, 32, 33, 100] {
            let window = CountWindow::new(length);
            for nth in 0..5 * length {
                call(&window, 0, nth % 3 == 0);
                let last = (nth + 1).saturating_sub(length)..=nth;
                let calls = last.clone().count() as u64;
                let failed = last.filter(|nth| nth % 3 == 0).count() as u64;
                assert_eq!(failures(&window, 0), (failed, calls), "{length}, {nth}");
            }
        }
    }

    #[test]
    fn goes_on_evenly_where_positions_wrap() {
        for length in [1, 7, 100] {
            let window = CountWindow::new(length);
            let held = FULL | u64::from(INDEX - 2 * length);
            window.sequence.0.store(held, Ordering::Relaxed);
            for nth in 0..4 * length {
                call(&window, 0, true);
                let expected = u64::from(length.min(nth + 1));
                assert_eq!(failures(&window, 0), (expected, u64::from(length)));
            }
        }
    }

    #[test]
    fn an_epoch_finds_nothing_of_the_one_before() {
        let window = CountWindow::new(10);
        (0..5).for_each(|_| call(&window, 0, true));
        assert_eq!(failures(&window, 2), (0, 0));
        call(&window, 2, false);
        assert_eq!(failures(&window, 2), (0, 1));
        assert_eq!(window.count(0, 0), None, "it is over");
        assert_eq!(failures(&window, 2), (0, 1));
    }

    #[test]
    fn what_has_left_the_window_is_marked_no_more() {
        let window = CountWindow::new(3);
        let late = window.count(0, 0).expect("in the epoch");
        let over = window.blocks() * BITS;
        (0..over).for_each(|_| call(&window, 0, true));
        window.mark(0, late, true, true);
        assert_eq!(failures(&window, 0), (3, 3));
    }

    impl CountWindow {
        fn blocks(&self) -> u32 {
            self.failed.len() as u32
        }
    }
}
