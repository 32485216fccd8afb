//! [`Window`]: the samples from which the next limit is computed.

use crate::sync::{AtomicU64, Ordering};

/// The uppermost bit, which marks the window as closed.
const CLOSED: u64 = 1 << 63;
/// A sample, counted in the next 15 bits. The bits below hold the sum of the latencies in nanoseconds.
const ONE: u64 = 1 << 48;
/// Largest number of samples that a window may ask for. Threads that add at once can count beyond this
/// number.
pub(super) const LARGEST: u64 = 4096;
/// The largest latency that is counted, some 34 seconds. The sum of twice the largest number of samples
/// fits.
pub(super) const LONGEST: u64 = ONE / (2 * LARGEST) - 1;
/// The value of the peak after a message was refused.
const REFUSED: u64 = u64::MAX;

/// The used part of the limit at the busiest moment of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Load {
    /// Less than half of the limit was in use.
    Little,
    /// Half of the limit or more was in use.
    Enough,
    /// So much of the limit was in use that a message was refused.
    Full,
}

/// The reason why a window is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Closed {
    /// The window has its samples, with this mean in nanoseconds.
    Complete { mean: u64 },
    /// A dispatch failed for overload.
    Overload,
}

/// The latencies of the dispatches that ended since the window was opened. A window is complete when it
/// has enough samples and a dispatch that entered since the opening has ended. So a window lasts at
/// least as long as a dispatch, however many there are.
///
/// A thread closes the window by a compare-and-swap of its word, and then computes the next limit. No
/// other thread closes a window until that thread opens the next one, so all reads and writes meanwhile
/// are its own. A dispatch that ends in between is no sample.
pub(super) struct Window {
    word: AtomicU64,
    /// The tick at which the window was opened.
    opened: AtomicU64,
    /// The tick at which an overload last lowered the limit. Dispatches that entered before say nothing
    /// new.
    lowered: AtomicU64,
    /// The largest number in flight, or [`REFUSED`].
    peak: AtomicU64,
    /// The number of samples that this window asks for.
    size: AtomicU64,
    /// The least number of samples of any window.
    least: u64,
}

impl Window {
    /// Creates a window that asks for at least `least` samples. A later window asks for as many as are
    /// in flight when the window is opened, if they are more, because they entered before.
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

    /// Relaxed, and a store that another one may undo. A lost mark is made again by the next dispatch
    /// that enters, and a late mark was true a moment ago.
    #[inline]
    pub(super) fn note_in_flight(&self, in_flight: u64) {
        if in_flight > self.peak.load(Ordering::Relaxed) {
            self.peak.store(in_flight, Ordering::Relaxed);
        }
    }

    /// Marks the peak as refused. Relaxed: see [`note_in_flight`](Self::note_in_flight).
    #[cold]
    pub(super) fn note_refused(&self) {
        self.peak.store(REFUSED, Ordering::Relaxed);
    }

    /// Adds the latency of a dispatch that entered at `entered` and was done at `now`. Returns the
    /// reason if that closed the window.
    #[inline]
    pub(super) fn add(&self, entered: u64, now: u64) -> Option<Closed> {
        // Relaxed: a size or a time of an earlier window lets this window close at most a little early.
        let mut word = self.word.load(Ordering::Relaxed);
        let size = self.size.load(Ordering::Relaxed);
        if count(word) < size {
            // A clock that was set back meanwhile gives no sample.
            let sample = ONE + now.checked_sub(entered)?.min(LONGEST);
            // Relaxed: a sample is published by the word alone.
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

    /// Closes the window at once for an overload, unless that says nothing new.
    #[cold]
    pub(super) fn overload(&self, entered: u64, now: u64) -> Option<Closed> {
        if entered < not_after(&self.lowered, now) {
            return None;
        }
        let word = self.close(0)?;
        // Checks again, because another thread may have closed a window and opened this one in between.
        if self.is_old(entered) {
            // Release: pairs with the Acquire in `close`, as the store in `open` does.
            self.word.store(word, Ordering::Release);
            return None;
        }
        Some(Closed::Overload)
    }

    /// Relaxed: the value is exact for the thread that has closed the window, and a shortcut before
    /// that.
    fn is_old(&self, entered: u64) -> bool {
        entered < self.lowered.load(Ordering::Relaxed)
    }

    /// Closes the window if it has that many samples. Returns the earlier word to the thread that closed
    /// the window.
    fn close(&self, samples: u64) -> Option<u64> {
        // Relaxed: the swap below acquires.
        let mut word = self.word.load(Ordering::Relaxed);
        while word < CLOSED && count(word) >= samples {
            // Acquire: pairs with the Release in `open`. A thread that closes a window sees all writes
            // of the thread that closed the one before. Model: `adaptive_limit`.
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

    /// Returns the load of the window, for the thread that closed the window.
    pub(super) fn load(&self, limit: u64) -> Load {
        match self.peak.load(Ordering::Relaxed) {
            REFUSED => Load::Full,
            peak if peak * 2 >= limit => Load::Enough,
            _ => Load::Little,
        }
    }

    /// Records the time of an overload, for the thread that closed the window.
    pub(super) fn note_lowered(&self, now: u64) {
        self.lowered.store(now, Ordering::Relaxed);
    }

    /// Begins the next window, for the thread that closed the last one.
    pub(super) fn open(&self, now: u64, in_flight: u64) {
        let size = in_flight.clamp(self.least, LARGEST);
        self.size.store(size, Ordering::Relaxed);
        self.opened.store(now, Ordering::Relaxed);
        self.peak.store(0, Ordering::Relaxed);
        // Release: pairs with the Acquire of `close`. A sample that came too late for the last window is
        // lost here.
        self.word.store(0, Ordering::Release);
    }
}

/// Returns the tick that was noted, or `now` where the clock was set back since.
///
/// Relaxed: a value of an earlier window lets this window close at most a little early.
#[cold]
fn not_after(noted: &AtomicU64, now: u64) -> u64 {
    let tick = noted.load(Ordering::Relaxed);
    if now < tick {
        noted.store(now, Ordering::Relaxed);
    }
    tick.min(now)
}

/// Returns the number of samples, which for a closed window exceeds any number that is asked for.
#[inline]
fn count(word: u64) -> u64 {
    word / ONE
}

#[cfg(all(test, not(arcbus_loom)))]
mod tests {
    use super::*;
    use crate::reach::reach;

    /// A window with its latencies as a list, or `None` while the window is closed.
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

        /// Returns every state that can follow for calls that enter and end within three ticks.
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
