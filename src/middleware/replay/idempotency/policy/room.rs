//! [`Room`]: how many keys there may be.

use crate::setting::InvalidSetting;
use crate::sync::{AtomicUsize, Ordering};

/// How many keys of a message type there are and may be: exact, over all shards.
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
    /// Relaxed, all of it: the one word decides who gets the last place; what stands there is handed on
    /// by its shard's lock. No partner; model: `idempotency`.
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

    /// How many keys there are, those included whose window is over and that nobody needed the room of.
    #[must_use]
    pub fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }

    /// How many there may be.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Takes a place, if there is one: before a record is made.
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

    /// Gives places back: after their records are gone.
    pub(super) fn give_back(&self, places: usize) {
        if places != 0 {
            self.taken.fetch_sub(places, Ordering::Relaxed);
        }
    }
}
