//! [`IdempotencyCounts`]: counts the messages with blank keys.

use crate::sync::{AtomicU64, Ordering};

/// Counts the messages of one type whose key was blank, as returned by
/// [`Idempotency::handles`](super::Idempotency::handles).
///
/// ```
/// use std::time::Duration;
/// use arcbus::middleware::{Idempotency, IdempotencyKey};
/// use arcbus::{Command, CommandBus, Context, Message, from_fn};
/// # #[derive(Hash)]
/// # struct Charge { cents: u64 }
/// # impl Message for Charge {
/// #     const NAME: &'static str = "card.charge";
/// #     type Kind = Command;
/// #     type Reply = ();
/// #     type Error = std::convert::Infallible;
/// # }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let idempotency = Idempotency::in_memory(Duration::from_secs(3600));
/// let handles = idempotency.handles(); // before the layer goes to a bus
/// let bus = CommandBus::builder()
///     .layer(idempotency)
///     .register(from_fn(|_: Charge, _: &Context<'_>| Ok(())))
///     .build()?;
/// let cx = Context::new().with(IdempotencyKey::new("  ")); // a header without a value, say
/// bus.execute_blocking_with(Charge { cents: 500 }, cx)?;
/// assert_eq!(handles.get("card.charge").expect("registered").blank_keys(), 1);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Default)]
pub struct IdempotencyCounts {
    /// Relaxed: a tally. No partner, no model.
    blank_keys: AtomicU64,
}

impl IdempotencyCounts {
    /// Returns the number of messages that came with a [blank](super::IdempotencyKey::is_blank) key and ran
    /// without protection. Messages that were refused, or had no key at all, are not counted.
    #[must_use]
    pub fn blank_keys(&self) -> u64 {
        self.blank_keys.load(Ordering::Relaxed)
    }

    #[cold]
    pub(super) fn add_blank_key(&self) {
        self.blank_keys.fetch_add(1, Ordering::Relaxed);
    }
}
