//! [`Room`]: the number of keys, and its bound.

use crate::setting::InvalidSetting;
use crate::sync::{AtomicUsize, Ordering};

/// Counts the keys of a message type and bounds their number, exactly over all shards.
///
/// ```
/// use std::time::Duration;
/// use arcbus::middleware::Idempotency;
///
/// let idempotency = Idempotency::in_memory(Duration::from_secs(60)).capacity(1000);
/// let rooms = idempotency.rooms(); // before the layer goes to a bus
/// # let _ = idempotency;
/// if let Some(room) = rooms.get("card.charge") {
///     println!("{} of {} keys", room.taken(), room.capacity());
/// }
/// ```
#[derive(Debug)]
pub struct Room {
    /// Relaxed for all accesses. This one word decides which caller gets the last place, and the shard's lock
    /// hands on the record in that place. No partner; model: `idempotency`.
    taken: AtomicUsize,
    capacity: usize,
}

impl Room {
    pub(in super::super) fn new(capacity: usize) -> Result<Self, InvalidSetting> {
        InvalidSetting::unless(capacity != 0, "Idempotency.capacity", "at least 1")?;
        Ok(Self {
            taken: AtomicUsize::new(0),
            capacity,
        })
    }

    /// Returns the number of keys, including the expired keys whose room nobody has needed yet.
    #[must_use]
    pub fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }

    /// Returns the maximum number of keys of the message type.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Takes a place before a record is made, or returns `false` if there is no room.
    pub(super) fn take(&self) -> bool {
        let mut taken = self.taken();
        while taken < self.capacity {
            let (one_more, relaxed) = (taken + 1, Ordering::Relaxed);
            let took = self
                .taken
                .compare_exchange_weak(taken, one_more, relaxed, relaxed);
            match took {
                Ok(_) => return true,
                Err(meanwhile) => taken = meanwhile,
            }
        }
        false
    }

    /// Gives places back, after their records are gone.
    pub(super) fn give_back(&self, places: usize) {
        if places != 0 {
            self.taken.fetch_sub(places, Ordering::Relaxed);
        }
    }
}

#[cfg(all(test, not(arcbus_loom)))]
mod tests {
    use super::*;
    use crate::reach::reach;

    /// Performs every step on a room with `taken` places taken.
    fn steps(taken: usize, capacity: usize) -> Vec<usize> {
        let room = || Room {
            taken: AtomicUsize::new(taken),
            capacity,
        };
        let takes = room();
        assert_eq!(takes.take(), taken < capacity, "{taken} of {capacity}");
        assert_eq!(takes.taken(), (taken + 1).min(capacity));
        let gives_back = (0..=taken.min(3)).map(|places| {
            let gives = room();
            gives.give_back(places);
            assert_eq!(gives.taken(), taken - places);
            gives.taken()
        });
        gives_back.chain([takes.taken()]).collect()
    }

    #[test]
    fn a_place_is_taken_where_there_is_one_and_given_back_once() {
        for capacity in 1..8 {
            let reached = reach(vec![0], 100, |taken| steps(*taken, capacity));
            assert_eq!(reached, (capacity + 1, true));
        }
        let most = usize::MAX - 1;
        let (states, _) = reach(vec![most], 8, |taken| steps(*taken, most));
        assert!(states > 20, "{states}");
    }
}
