//! [`Algorithm`]: the next limit, from the present one and what a window has measured.

use std::fmt;
use std::time::Duration;

use super::window::Load;

/// Windows after which Vegas measures the latency without load anew. It takes about three windows at
/// half the limit: at 100, one message in a hundred is refused for it under full load.
const PROBE: u64 = 100;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Algorithm {
    Aimd {
        /// In nanoseconds: a mean above this is too slow.
        slow: u64,
    },
    Vegas,
}

impl fmt::Debug for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Aimd { slow } => f
                .debug_struct("Aimd")
                .field("slow", &Duration::from_nanos(*slow))
                .finish(),
            Self::Vegas => f.write_str("Vegas"),
        }
    }
}

/// What a window has seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Measured {
    /// The mean latency in nanoseconds, at least 1.
    pub(super) mean: u64,
    pub(super) load: Load,
}

/// What is kept from window to window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Memory {
    /// The latency without load in nanoseconds; 0: not known.
    pub(super) baseline: u64,
    /// Windows since that was last measured without load.
    pub(super) age: u64,
    /// The limit to go back to, while it is halved for a measurement; else 0.
    pub(super) halved: u64,
    /// The limit has just been changed: the next window measures what entered before that.
    pub(super) settling: bool,
}

/// The algorithm, and by what an overload multiplies.
#[derive(Clone, Copy)]
pub(super) struct Rules {
    pub(super) algorithm: Algorithm,
    pub(super) backoff: f64,
}

impl Rules {
    /// The limit after a complete window.
    pub(super) fn next(&self, limit: u64, measured: Measured, memory: &mut Memory) -> u64 {
        if std::mem::take(&mut memory.settling) {
            return limit;
        }
        let next = match self.algorithm {
            Algorithm::Aimd { slow } => self.aimd(limit, measured, slow),
            Algorithm::Vegas => vegas(limit, measured, memory),
        };
        memory.settling = next != limit;
        next
    }

    /// The limit after an overload.
    pub(super) fn lowered(&self, limit: u64, memory: &mut Memory) -> u64 {
        memory.settling = true;
        self.lower(limit.max(std::mem::take(&mut memory.halved)))
    }

    fn lower(&self, limit: u64) -> u64 {
        ((limit as f64 * self.backoff) as u64).min(limit - 1)
    }

    /// Grows only if at least half of the limit was in use: one that is never reached would grow for
    /// ever.
    fn aimd(&self, limit: u64, measured: Measured, slow: u64) -> u64 {
        match measured.load {
            _ if measured.mean > slow => self.lower(limit),
            Load::Little => limit,
            Load::Enough | Load::Full => limit + 1,
        }
    }
}

fn vegas(limit: u64, measured: Measured, memory: &mut Memory) -> u64 {
    if memory.halved > 0 {
        memory.baseline = measured.mean;
        memory.age = 0;
        return std::mem::take(&mut memory.halved);
    }
    if memory.baseline == 0 || measured.mean < memory.baseline {
        memory.baseline = measured.mean;
    }
    memory.age += 1;
    match measured.load {
        // Nothing waits in a backend that is half idle.
        Load::Little if memory.age >= PROBE => {
            (memory.baseline, memory.age) = (measured.mean, 0);
            limit
        }
        // Some are being refused anyhow.
        Load::Full if memory.age >= PROBE => {
            memory.halved = limit;
            limit / 2
        }
        _ => by_queue(limit, measured, memory.baseline),
    }
}

/// Of `limit` in flight, those wait that would not fit if each took no longer than the baseline.
fn by_queue(limit: u64, measured: Measured, baseline: u64) -> u64 {
    let queue = limit * (measured.mean - baseline) / measured.mean;
    let (few, many) = ((limit / 10).max(3), (limit / 5).max(6));
    if queue > many {
        limit - limit.isqrt()
    } else if queue < few && measured.load != Load::Little {
        limit + limit.isqrt()
    } else {
        limit
    }
}
