//! [`Store`]: where the keys are kept.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use super::{Fingerprint, IdempotencyKey};
use crate::message::Message;

/// Keeps what became of each key, for its window.
///
/// What is asked of one, so that a command acts once:
///
/// - [`begin`](Store::begin) is one step: of two who begin a key at once, also in two processes, one is
///   told to run, and the other finds its record. The record is kept as safely as is needed (on disk, on
///   a replica) before `begin` is done, for the handler runs right after.
/// - A record is kept for its whole window, whatever happens, unless it is
///   [forgotten](Store::forget). A store that has no room left says [`Full`](Begin::Full).
/// - Who has begun and neither finishes nor forgets leaves the record as it is. A future of this store
///   may be dropped before it is done: whether it has had its effect or not, nothing else may be lost.
/// - `finish` and `forget` change the record of their own run alone: after its window another one may
///   stand in its place.
/// - A key belongs to a message's name: see [`Claim::message`].
///
/// An error before the handler runs refuses the command; one after it leaves the key in doubt, and the
/// caller gets the reply. Log it in the store.
///
/// Keep to wall time in a store that outlives the process; [`Claim::now`] is for those that do not.
pub trait Store<M: Message>: Send + Sync + 'static {
    /// What finds the record of a run again. Dropped: the run ended without a known outcome.
    type Begun: Send;

    /// How it fails.
    type Error: fmt::Display + Send;

    /// Writes that a run begins, unless the key has a record whose window is not over: then returns that.
    ///
    /// # Errors
    ///
    /// Whatever keeps it from doing so; the command is refused and does not run.
    fn begin(
        &self,
        claim: Claim<'_>,
    ) -> impl Future<Output = Result<Begin<Self::Begun, M::Reply>, Self::Error>> + Send;

    /// Writes the reply of a run. If the record is gone, for its window is over, there is nothing to do.
    ///
    /// # Errors
    ///
    /// Whatever keeps it from doing so; the key is in doubt.
    fn finish(
        &self,
        begun: Self::Begun,
        reply: &M::Reply,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// Forgets the key of a run that is known not to have acted, so that it can run again.
    ///
    /// # Errors
    ///
    /// Whatever keeps it from doing so; the key is in doubt.
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
    /// The name of the message type. The same key under another name is another key.
    #[must_use]
    pub fn message(&self) -> &'static str {
        self.message
    }

    /// The key.
    #[must_use]
    pub fn key(&self) -> &'a IdempotencyKey {
        self.key
    }

    /// To be kept with the record.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// How long the record is to be kept, from now.
    #[must_use]
    pub fn window(&self) -> Duration {
        self.window
    }

    /// The time on the bus's clock, from its origin: means nothing to another process.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.now
    }
}

/// What a [`Store`] says of a key that is about to be begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Begin<B, R> {
    /// It was not known, and is now: run.
    Run(B),
    /// It is known.
    Known(Record<R>),
    /// It was not known, and there is no room for it.
    Full {
        /// The number of keys that there is room for.
        limit: usize,
    },
}

/// What is known of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record<R> {
    /// That of the payload which the key was begun with.
    pub fingerprint: Fingerprint,
    /// How far its run has come.
    pub progress: Progress<R>,
}

/// How far the run of a key has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress<R> {
    /// It has begun, and nothing else is known.
    Begun,
    /// It has given this reply.
    Done(R),
}
