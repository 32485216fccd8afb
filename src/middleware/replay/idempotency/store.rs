//! [`Store`]: the place where the keys are kept.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use super::{Fingerprint, IdempotencyKey};
use crate::message::Message;

/// Keeps the outcome of each key, for its window.
///
/// A store must meet these requirements, so that a command acts once:
///
/// - [`begin`](Store::begin) is one step. If two callers begin a key at once, also in two processes, one is
///   told to run, and the other finds that record. The record must be stored safely enough (on disk, on a
///   replica) before `begin` is done, because the handler runs right after.
/// - A record is kept for its whole window in any case, unless the record is [forgotten](Store::forget). A
///   store without room returns [`Full`](Begin::Full).
/// - A caller that begins a run and neither finishes nor forgets leaves the record in place. A future of this
///   store may be dropped before completion. Its own effect may then be lost, but nothing else.
/// - `finish` and `forget` change only the record of their own run. After the window another record may stand
///   in its place.
/// - A key belongs to a message's name: see [`Claim::message`].
///
/// An error before the handler runs refuses the command. A later error leaves the key in doubt, and the
/// caller gets the reply. Log such an error in the store.
///
/// Use wall time in a store that outlives the process. [`Claim::now`] is for stores that do not.
pub trait Store<M: Message>: Send + Sync + 'static {
    /// The token that finds the record of a run again. Dropping the token ends the run without a known
    /// outcome.
    type Begun: Send;

    /// The error of a store that fails, whose text is part of the refusal.
    type Error: fmt::Display + Send;

    /// Records that a run begins, or returns the record of the key if its window has not ended.
    ///
    /// # Errors
    ///
    /// Returns the reason why the store could not begin the run. The command is then refused and does not
    /// run.
    fn begin(
        &self,
        claim: Claim<'_>,
    ) -> impl Future<Output = Result<Begin<Self::Begun, M::Reply>, Self::Error>> + Send;

    /// Records the reply of a run, or does nothing if the record is gone because its window has ended.
    ///
    /// # Errors
    ///
    /// Returns the reason why the store could not keep the reply. The key is then in doubt.
    fn finish(
        &self,
        begun: Self::Begun,
        reply: &M::Reply,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// Forgets the key of a run that is known not to have acted, so that the command can run again.
    ///
    /// # Errors
    ///
    /// Returns the reason why the store could not forget the key. The key is then in doubt.
    fn forget(&self, begun: Self::Begun) -> impl Future<Output = Result<(), Self::Error>> + Send;
}

/// A key that is about to be begun.
#[derive(Clone, Copy, Debug)]
pub struct Claim<'a> {
    pub(super) message: &'static str,
    pub(super) key: &'a IdempotencyKey,
    pub(super) fingerprint: Fingerprint,
    pub(super) window: Duration,
    pub(super) now: Duration,
}

impl<'a> Claim<'a> {
    /// Returns the name of the message type. An equal key under another name is another key.
    #[must_use]
    pub fn message(&self) -> &'static str {
        self.message
    }

    /// Returns the key that the message came with.
    #[must_use]
    pub fn key(&self) -> &'a IdempotencyKey {
        self.key
    }

    /// Returns the fingerprint of the payload, to be kept with the record.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// Returns the time for which the record is to be kept, from now.
    #[must_use]
    pub fn window(&self) -> Duration {
        self.window
    }

    /// Returns the time on the bus's clock since its origin, which has no meaning in another process.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.now
    }
}

/// The answer of a [`Store`] about a key that is about to be begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Begin<B, R> {
    /// The key is new and has now begun, so the command runs.
    Run(B),
    /// The key has a record whose window has not ended.
    Known(Record<R>),
    /// The key is new, and the store has no room for the key.
    Full {
        /// The maximum number of keys in the store.
        limit: usize,
    },
}

/// The record of a key whose run has begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record<R> {
    /// The fingerprint of the payload with which the key was begun.
    pub fingerprint: Fingerprint,
    /// The progress of the key's run.
    pub progress: Progress<R>,
}

/// The progress of the run of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress<R> {
    /// The run has begun, and nothing else is known.
    Begun,
    /// The run has given this reply.
    Done(R),
}
