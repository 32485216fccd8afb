//! [`Window`]: the samples from which the next limit is computed.

use crate::sync::{AtomicU64, Ordering};

/// The uppermost bit: the window is closed.
const CLOSED: u64 = 1 << 63;
/// How many samples: the next 15 bits; below, the sum of their latencies in nanoseconds.
const ONE: u64 = 1 << 48;
/// The most samples a window may ask for. Threads that add one at the same time count beyond.
pub(super) const LARGEST: u64 = 4096;
/// What a latency counts for at most, some 34 seconds: the sum of twice as many as may be fits.
pub(super) const LONGEST: u64 = ONE / (2 * LARGEST) - 1;
/// In the place of the peak: somebody was refused.
const REFUSED: u64 = u64::MAX;

/// How much of the limit was in use at the busiest moment of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Load {
    /// Less than half.
    Little,
    /// Half or more.
    Enough,
    /// So much that somebody was refused.
    Full,
}

/// Why a window is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Closed {
    /// It has its samples, of this mean in nanoseconds.
    Complete { mean: u64 },
    /// Something failed for overload.
    Overload,
}

/// The latencies of what was done since the window was opened. It is complete when there are enough of
/// them and one has entered since, so that it lasts as long as a dispatch, however many there are.
///
/// Whoever closes it, by a compare-and-swap of its word, computes the next limit. Until that thread
/// opens the next window nobody else closes one: all that it reads and writes meanwhile is its own.
/// What is done in between is no sample.
pub(super) struct Window {
    word: AtomicU64,
    /// When it was opened, as a tick.
    opened: AtomicU64,
    /// When an overload last lowered the limit. One that entered before says nothing new.
    lowered: AtomicU64,
    /// The most that were in flight, or [`REFUSED`].
    peak: AtomicU64,
    /// How many samples it asks for.
    size: AtomicU64,
    /// As many at least.
    least: u64,
}

impl Window {
    /// A window asks for `least` samples, or as many as are in flight when it is opened, if that is
    /// more: those entered before.
    pub(super) fn new(least: u64) -> Self {
        Self {
            word: AtomicU64::new(0),
            opened: AtomicU64::new(0),
            lowered: AtomicU64::new(0),
            peak: AtomicU64::new(0),
            size: AtomicU64::new(least),
            least,
        }
    }

    /// Relaxed, and a store that another one may undo: a mark that is lost is made again by the next
    /// that enters, and one that is late was true a moment ago.
    #[inline]
    pub(super) fn note_in_flight(&self, in_flight: u64) {
        if in_flight > self.peak.load(Ordering::Relaxed) {
            self.peak.store(in_flight, Ordering::Relaxed);
        }
    }

    /// Relaxed: see [`note_in_flight`](Self::note_in_flight).
    #[cold]
    pub(super) fn note_refused(&self) {
        self.peak.store(REFUSED, Ordering::Relaxed);
    }

    /// Adds the latency of a dispatch that entered at `entered` and was done at `now`; says whether
    /// that closed the window.
    #[inline]
    pub(super) fn add(&self, entered: u64, now: u64) -> Option<Closed> {
        // Relaxed: a size or a time of an earlier window lets this one close at most a little early.
        let mut word = self.word.load(Ordering::Relaxed);
        let size = self.size.load(Ordering::Relaxed);
        if count(word) < size {
            // None of a clock that was set back meanwhile.
            let sample = ONE + now.checked_sub(entered)?.min(LONGEST);
            // Relaxed: a sample is the word alone.
            word = self.word.fetch_add(sample, Ordering::Relaxed) + sample;
        }
        if count(word) < size {
            return None;
        }
        self.complete(entered, size, now)
    }

    #[cold]
    fn complete(&self, entered: u64, size: u64, now: u64) -> Option<Closed> {
        if entered < not_after(&self.opened, now) {
            return None;
        }
        let word = self.close(size)?;
        let mean = (word % ONE / count(word)).max(1);
        Some(Closed::Complete { mean })
    }

    /// Closes the window at once, unless that says nothing new.
    #[cold]
    pub(super) fn overload(&self, entered: u64, now: u64) -> Option<Closed> {
        if entered < not_after(&self.lowered, now) {
            return None;
        }
        let word = self.close(0)?;
        // Again: another one may have closed a window, and opened this one, in between.
        if self.is_old(entered) {
            // Release: as in `open`.
            self.word.store(word, Ordering::Release);
            return None;
        }
        Some(Closed::Overload)
    }

    /// Relaxed: exact for who has closed the window, and a shortcut before.
    fn is_old(&self, entered: u64) -> bool {
        entered < self.lowered.load(Ordering::Relaxed)
    }

    /// Closes the window if it has so many samples; what stood in the word, for the one who does.
    fn close(&self, samples: u64) -> Option<u64> {
        // Relaxed: the swap below acquires.
        let mut word = self.word.load(Ordering::Relaxed);
        while word < CLOSED && count(word) >= samples {
            // Acquire: pairs with the Release in `open`, so that who closes a window has all that the
            // one before it wrote. Model: `adaptive_limit`.
            let closed =
                self.word
                    .compare_exchange_weak(word, CLOSED, Ordering::Acquire, Ordering::Relaxed);
            match closed {
                Ok(_) => return Some(word),
                Err(now) => word = now,
            }
        }
        None
    }

    /// By who closed it.
    pub(super) fn load(&self, limit: u64) -> Load {
        match self.peak.load(Ordering::Relaxed) {
            REFUSED => Load::Full,
            peak if peak * 2 >= limit => Load::Enough,
            _ => Load::Little,
        }
    }

    /// By who closed it, for an overload.
    pub(super) fn note_lowered(&self, now: u64) {
        self.lowered.store(now, Ordering::Relaxed);
    }

    /// Begins the next one. By who closed the last.
    pub(super) fn open(&self, now: u64, in_flight: u64) {
        let size = in_flight.clamp(self.least, LARGEST);
        self.size.store(size, Ordering::Relaxed);
        self.opened.store(now, Ordering::Relaxed);
        self.peak.store(0, Ordering::Relaxed);
        // Release: pairs with the Acquire of `close`. A sample that came too late for the
        // last window is lost here.
        self.word.store(0, Ordering::Release);
    }
}

/// A tick that was noted; of a clock that was set back since, the time.
///
/// Relaxed: a value of an earlier window lets one close at most a little early.
#[cold]
fn not_after(noted: &AtomicU64, now: u64) -> u64 {
    let tick = noted.load(Ordering::Relaxed);
    if now < tick {
        noted.store(now, Ordering::Relaxed);
    }
    tick.min(now)
}

/// Of a closed window more than any that is asked for.
#[inline]
fn count(word: u64) -> u64 {
    word / ONE
}

#[cfg(all(test, not(arcbus_loom)))]
mod tests {
    use super::*;
    use crate::reach::reach;

    /// A window with its latencies as they are; `None` while it is closed.
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    struct Plain {
        latencies: Option<Vec<u64>>,
        opened: u64,
        lowered: u64,
        size: u64,
    }

    impl Plain {
        fn window(&self, least: u64) -> Window {
            let window = Window::new(least);
            let word = match &self.latencies {
                None => CLOSED,
                Some(all) => ((all.len() as u64) << 48) + all.iter().sum::<u64>(),
            };
            window.word.store(word, Ordering::Relaxed);
            window.opened.store(self.opened, Ordering::Relaxed);
            window.lowered.store(self.lowered, Ordering::Relaxed);
            window.size.store(self.size, Ordering::Relaxed);
            window
        }

        fn add(&self, entered: u64, now: u64) -> (Option<Closed>, Self) {
            let mut after = self.clone();
            let Some(latencies) = &mut after.latencies else {
                after.opened = self.opened.min(now);
                return (None, after);
            };
            if (latencies.len() as u64) < self.size {
                if now < entered {
                    return (None, after);
                }
                latencies.push((now - entered).min(LONGEST));
            }
            let count = latencies.len() as u64;
            if count < self.size {
                return (None, after);
            }
            let opened = self.opened.min(now);
            let mean = (latencies.iter().sum::<u64>() / count).max(1);
            after.opened = opened;
            if entered < opened {
                return (None, after);
            }
            after.latencies = None;
            (Some(Closed::Complete { mean }), after)
        }

        fn overload(&self, entered: u64, now: u64) -> (Option<Closed>, Self) {
            let mut after = self.clone();
            after.lowered = self.lowered.min(now);
            if entered < after.lowered || self.latencies.is_none() {
                return (None, after);
            }
            after.latencies = None;
            (Some(Closed::Overload), after)
        }

        /// Everything that may happen to calls that enter and end within three ticks.
        fn steps(&self, least: u64) -> Vec<Self> {
            let mut after = Vec::new();
            for (entered, now) in [(0, 0), (0, 2), (1, 2), (2, 2), (2, 1)] {
                let (expected, added) = self.add(entered, now);
                let window = self.window(least);
                assert_eq!(window.add(entered, now), expected, "{self:?}");
                added.agrees(&window, least);
                after.push(added);
                let (expected, lowered) = self.overload(entered, now);
                let window = self.window(least);
                assert_eq!(window.overload(entered, now), expected, "{self:?}");
                lowered.agrees(&window, least);
                after.push(lowered);
            }
            if self.latencies.is_none() {
                after.extend([0, 1, 3].map(|in_flight| self.opens(in_flight, least)));
            }
            after
        }

        fn opens(&self, in_flight: u64, least: u64) -> Self {
            let window = self.window(least);
            window.note_lowered(1);
            window.open(2, in_flight);
            let opened = Self {
                latencies: Some(Vec::new()),
                opened: 2,
                lowered: 1,
                size: in_flight.max(least),
            };
            opened.agrees(&window, least);
            opened
        }

        fn agrees(&self, window: &Window, least: u64) {
            let read = |window: &Window| {
                let Window {
                    word,
                    opened,
                    lowered,
                    size,
                    ..
                } = window;
                [word, opened, lowered, size].map(|word| word.load(Ordering::Relaxed))
            };
            assert_eq!(read(window), read(&self.window(least)), "{self:?}");
        }
    }

    #[test]
    fn a_window_closes_once_with_the_mean_of_its_latencies() {
        for least in 1..=3 {
            let start = Plain {
                latencies: Some(Vec::new()),
                opened: 0,
                lowered: 0,
                size: least,
            };
            let (states, all) = reach(vec![start], 100, |state| state.steps(least));
            assert!(all && states > 20, "{states}");
        }
    }

    #[test]
    fn the_longest_latencies_of_twice_as_many_as_may_be_fit() {
        let window = Window::new(LARGEST);
        window.size.store(u64::MAX, Ordering::Relaxed);
        for _ in 0..2 * LARGEST {
            assert_eq!(window.add(0, u64::MAX), None);
        }
        let word = window.word.load(Ordering::Relaxed);
        assert_eq!(
            (count(word), word % ONE),
            (2 * LARGEST, 2 * LARGEST * LONGEST)
        );
        assert!(word < CLOSED);
    }
}
