//! [`Algorithm`]: computes the next limit from the present limit and the measurements of a window.

use std::fmt;
use std::time::Duration;

use super::window::Load;

/// Number of windows after which Vegas measures the latency without load again. A measurement takes
/// about three windows at half the limit. At 100, under full load, one message in a hundred is refused
/// for this purpose.
const PROBE: u64 = 100;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Algorithm {
    Aimd {
        /// Bound of the mean latency in nanoseconds, above which the backend is too slow.
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

/// The measurements of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Measured {
    /// The mean latency in nanoseconds, at least 1.
    pub(super) mean: u64,
    pub(super) load: Load,
}

/// The values that are kept from window to window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Memory {
    /// The latency without load in nanoseconds, or 0 while that is not known.
    pub(super) baseline: u64,
    /// Number of windows since the baseline was last measured without load.
    pub(super) age: u64,
    /// The limit to return to while the limit is halved for a measurement, or else 0.
    pub(super) halved: u64,
    /// True if the limit has just been changed, so that the next window measures dispatches from before.
    pub(super) settling: bool,
}

/// The algorithm, and the factor of the limit after an overload.
#[derive(Clone, Copy)]
pub(super) struct Rules {
    pub(super) algorithm: Algorithm,
    pub(super) backoff: f64,
}

impl Rules {
    /// Returns the limit after a complete window.
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

    /// Returns the limit after an overload.
    pub(super) fn lowered(&self, limit: u64, memory: &mut Memory) -> u64 {
        memory.settling = true;
        self.lower(limit.max(std::mem::take(&mut memory.halved)))
    }

    fn lower(&self, limit: u64) -> u64 {
        ((limit as f64 * self.backoff) as u64).min(limit - 1)
    }

    /// Grows the limit only if at least half of the present limit was in use. Otherwise a limit that is
    /// never reached would grow for ever.
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
        // Nothing waits in a backend that is half idle, so this latency is one without load.
        Load::Little if memory.age >= PROBE => {
            (memory.baseline, memory.age) = (measured.mean, 0);
            limit
        }
        // Some dispatches are being refused already, so a measurement costs little more.
        Load::Full if memory.age >= PROBE => {
            memory.halved = limit;
            limit / 2
        }
        _ => by_queue(limit, measured, memory.baseline),
    }
}

/// Estimates the queue in the backend. Of `limit` dispatches in flight, those wait that would not fit if
/// each took no longer than the baseline.
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
