//! [`Estimates`]: the memory of the algorithm, where every thread can read the values.

use std::time::Duration;

use super::algorithm::Memory;
use crate::sync::{AtomicBool, AtomicU64, Ordering};

/// Relaxed everywhere: only the thread that has closed a window writes these words. The word of the
/// window hands them to the next such thread. Other threads read single words, for people.
pub(super) struct Estimates {
    baseline: AtomicU64,
    age: AtomicU64,
    halved: AtomicU64,
    settling: AtomicBool,
    latency: AtomicU64,
}

impl Estimates {
    pub(super) fn new() -> Self {
        Self {
            baseline: AtomicU64::new(0),
            age: AtomicU64::new(0),
            halved: AtomicU64::new(0),
            settling: AtomicBool::new(false),
            latency: AtomicU64::new(0),
        }
    }

    pub(super) fn recall(&self) -> Memory {
        Memory {
            baseline: self.baseline.load(Ordering::Relaxed),
            age: self.age.load(Ordering::Relaxed),
            halved: self.halved.load(Ordering::Relaxed),
            settling: self.settling.load(Ordering::Relaxed),
        }
    }

    pub(super) fn remember(&self, memory: Memory) {
        self.baseline.store(memory.baseline, Ordering::Relaxed);
        self.age.store(memory.age, Ordering::Relaxed);
        self.halved.store(memory.halved, Ordering::Relaxed);
        self.settling.store(memory.settling, Ordering::Relaxed);
    }

    pub(super) fn note_latency(&self, mean: u64) {
        self.latency.store(mean, Ordering::Relaxed);
    }

    pub(super) fn baseline(&self) -> Option<Duration> {
        known(&self.baseline)
    }

    pub(super) fn latency(&self) -> Option<Duration> {
        known(&self.latency)
    }
}

fn known(nanos: &AtomicU64) -> Option<Duration> {
    match nanos.load(Ordering::Relaxed) {
        0 => None,
        nanos => Some(Duration::from_nanos(nanos)),
    }
}
