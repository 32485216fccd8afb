//! [`Idempotency`]: the settings of the layer.

use std::time::Duration;

use super::middleware::{IdempotencyAnswer, Keys};
use super::policy::{Room, check_window};
use super::routes::Routes;
use super::{ByContext, ByField, IdempotencyCounts, IdempotencyKey, InMemory, Shared, Stores};
use crate::bounds::{CommandKind, MessageHash, ReplyClone};
use crate::context::Context;
use crate::message::Message;
use crate::middleware::Handles;
use crate::middleware::cache::{most_waiters, waiters_note};
use crate::outcome::ErrorKind;
use crate::pipeline::{Answered, Extract, Facts, Layer, Role, RouteInfo};
use crate::setting::InvalidSetting;
use crate::sync::PlainArc;

/// Lets a command act once for each key. See [the module](super).
///
/// For commands whose payload is [`Hash`] and whose reply is `Clone + Sync`. The layer keeps the records of
/// the keys. They stay when a handler is replaced, or deregistered and registered again, through one
/// registrar. Clones of the layer share the records, on buses with one clock.
#[derive(Clone, Debug)]
pub struct Idempotency<S = InMemory, K = ByContext> {
    window: Duration,
    stores: S,
    source: PlainArc<K>,
    require_key: bool,
    max_waiters: Option<usize>,
    routes: Routes,
    handles: Handles<IdempotencyCounts>,
}

/// The default number of keys of a message type.
const CAPACITY: usize = 65_536;

impl Idempotency {
    /// Keeps the keys in the memory of this process, as long as the process lives.
    ///
    /// `window` is the time for which a key is kept, from the beginning of its first run. Range: more than
    /// zero, less than 584 years. There is no default: choose the time for which your callers go on trying,
    /// and longer than any run.
    #[must_use]
    pub fn in_memory(window: Duration) -> Self {
        let stores = InMemory {
            capacity: CAPACITY,
            rooms: Handles::default(),
        };
        Self::of(stores, window)
    }
}

impl<K> Idempotency<InMemory, K> {
    /// Sets the maximum number of keys of each message type, at least 1. Allow for all keys that come in a
    /// window, because no key is given up before its end. Default: 65,536, which is 18 a second for an hour.
    /// A full store takes up to twenty megabytes besides the replies, while unused room takes no memory.
    #[must_use]
    pub fn capacity(mut self, keys: usize) -> Self {
        self.stores.capacity = keys;
        self
    }

    /// Returns the number of keys of each message type, and their bound.
    #[must_use]
    pub fn rooms(&self) -> Handles<Room> {
        self.stores.rooms.clone()
    }
}

impl<S> Idempotency<Shared<S>> {
    /// Keeps the keys in a [`Store`](super::Store) that several message types share, and maybe several
    /// processes. `window` has the meaning and range given at [`in_memory`](Idempotency::in_memory).
    ///
    /// A caller cannot wait for a key that another process is still running, and is told that the key is in
    /// doubt. A second layer over one store in one process has this limit, too: clone the layer instead.
    #[must_use]
    pub fn in_store(store: S, window: Duration) -> Self {
        Self::of(Shared(PlainArc::new(store)), window)
    }
}

impl<S> Idempotency<S> {
    fn of(stores: S, window: Duration) -> Self {
        Self {
            window,
            stores,
            source: PlainArc::new(ByContext),
            require_key: false,
            max_waiters: None,
            routes: Routes::default(),
            handles: Handles::default(),
        }
    }

    /// Asks the closure `key` for the key of each message, instead of taking an [`IdempotencyKey`] from the
    /// context. A panic of the closure goes to the caller.
    ///
    /// The closure names its message type, so the layer stands in a scope of that message.
    ///
    /// ```
    /// use std::time::Duration;
    /// use arcbus::Context;
    /// use arcbus::middleware::idempotency::{Idempotency, IdempotencyKey};
    /// # use arcbus::{Command, Message};
    /// # #[derive(Hash)]
    /// # struct Charge { request: IdempotencyKey }
    /// # impl Message for Charge {
    /// #     const NAME: &'static str = "card.charge";
    /// #     type Kind = Command;
    /// #     type Reply = u64;
    /// #     type Error = std::convert::Infallible;
    /// # }
    ///
    /// let idempotency = Idempotency::in_memory(Duration::from_secs(3600))
    ///     .key(|msg: &Charge, _: &Context<'_>| Some(msg.request.clone()));
    /// # let _ = idempotency;
    /// ```
    #[must_use]
    pub fn key<M, F>(self, key: F) -> Idempotency<S, F>
    where
        M: Message,
        F: Fn(&M, &Context<'_>) -> Option<IdempotencyKey> + Send + Sync + 'static,
    {
        self.keyed_by(key)
    }

    /// Asks each message for its key, instead of the context. Every message below the layer implements
    /// [`HasIdempotencyKey`](super::HasIdempotencyKey), which a derive does for a field with
    /// `#[idempotency_key]`.
    #[must_use]
    pub fn key_in_message(self) -> Idempotency<S, ByField> {
        self.keyed_by(ByField)
    }

    fn keyed_by<K>(self, source: K) -> Idempotency<S, K> {
        Idempotency {
            window: self.window,
            stores: self.stores,
            source: PlainArc::new(source),
            require_key: self.require_key,
            max_waiters: self.max_waiters,
            // New routes, because another key with an equal text means another command.
            routes: Routes::default(),
            handles: self.handles,
        }
    }
}

impl<S, K> Idempotency<S, K> {
    /// Refuses a message without a key, or with a [blank](IdempotencyKey::is_blank) key. Default: such a
    /// message runs without protection, and blank keys are [counted](Self::handles).
    #[must_use]
    pub fn require_key(mut self) -> Self {
        self.require_key = true;
        self
    }

    /// Bounds the number of messages with one key that wait for the first, while the first runs in this
    /// process. A message beyond the bound gets [`Error::Overloaded`](crate::Error::Overloaded) with this
    /// limit. Such a message has not run, and may be sent again with its key.
    ///
    /// Range: at least 1. Default: no bound.
    #[must_use]
    pub fn max_waiters(mut self, messages: usize) -> Self {
        self.max_waiters = Some(messages);
        self
    }

    /// Returns the counts of blank keys, for each message type.
    #[must_use]
    pub fn handles(&self) -> Handles<IdempotencyCounts> {
        self.handles.clone()
    }
}

impl<M, S, K> Layer<M> for Idempotency<S, K>
where
    M: Message<Kind: CommandKind, Reply: ReplyClone> + MessageHash,
    S: Stores<M>,
    K: Extract<M, Option<IdempotencyKey>>,
{
    type Middleware = Answered<IdempotencyAnswer<M, S::Store, K>>;

    const ROLE: Role = Role::Idempotency;

    fn middleware(
        &self,
        _route: &RouteInfo,
        _previous: Option<&Self::Middleware>,
    ) -> Result<Self::Middleware, InvalidSetting> {
        check_window(self.window)?;
        let max_waiters = most_waiters(self.max_waiters, "Idempotency.max_waiters")?;
        let make = || {
            let store = self.stores.store(self.window)?;
            let counts = self.handles.add(M::NAME, IdempotencyCounts::default());
            Ok(Keys::new(store, self.window, max_waiters, counts))
        };
        Ok(Answered(IdempotencyAnswer {
            keys: self.routes.get_or_make(make)?,
            source: PlainArc::clone(&self.source),
            require_key: self.require_key,
        }))
    }

    fn facts(&self) -> Facts {
        let required = if self.require_key {
            ", key required"
        } else {
            ""
        };
        let waiters = waiters_note(self.max_waiters);
        let note = format!(
            "{:?}, {}{required}{waiters}",
            self.window,
            self.stores.note()
        );
        Facts::new()
            .keeps(self.window)
            .waits(Duration::MAX)
            .fails_with(ErrorKind::InDoubt)
            .fails_with(ErrorKind::Conflict)
            .fails_with(ErrorKind::Rejected)
            .fails_with(ErrorKind::Overloaded)
            .tied(self.routes.tie())
            .note(note)
    }
}
