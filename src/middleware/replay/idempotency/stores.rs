//! [`Stores`]: a [`Store`] for each message type.

use std::convert::Infallible;
use std::future::{Future, ready};
use std::time::Duration;

use super::policy::{MemoryStore, Room, Run};
use super::{Begin, Claim, Progress, Record, Store};
use crate::bounds::ReplyClone;
use crate::message::Message;
use crate::middleware::Handles;
use crate::setting::InvalidSetting;
use crate::sync::PlainArc;

/// Makes the [`Store`] of each message type, and is implemented by the types that the constructors of
/// [`Idempotency`](super::Idempotency) use.
pub trait Stores<M: Message>: Send + Sync + 'static {
    #[doc(hidden)]
    type Store: Store<M>;

    #[doc(hidden)]
    fn store(&self, window: Duration) -> Result<Self::Store, InvalidSetting>;

    /// Describes the stores in a few words, for [`explain`](crate::Bus::explain).
    #[doc(hidden)]
    fn note(&self) -> String;
}

/// Keeps the keys in the memory of this process, separately for each message type.
#[derive(Clone, Debug)]
pub struct InMemory {
    pub(super) capacity: usize,
    pub(super) rooms: Handles<Room>,
}

impl<M> Stores<M> for InMemory
where
    M: Message<Reply: ReplyClone>,
{
    type Store = MemoryStore<M::Reply>;

    fn store(&self, window: Duration) -> Result<Self::Store, InvalidSetting> {
        let room = self.rooms.add(M::NAME, Room::new(self.capacity)?);
        Ok(MemoryStore::in_room(window, room))
    }

    fn note(&self) -> String {
        format!("{} keys in memory", self.capacity)
    }
}

/// Keeps the keys of all message types in one store of the user.
#[derive(Debug)]
pub struct Shared<S>(pub(super) PlainArc<S>);

impl<S> Clone for Shared<S> {
    fn clone(&self) -> Self {
        Self(PlainArc::clone(&self.0))
    }
}

impl<M: Message, S: Store<M>> Stores<M> for Shared<S> {
    type Store = Self;

    fn store(&self, _window: Duration) -> Result<Self, InvalidSetting> {
        Ok(self.clone())
    }

    fn note(&self) -> String {
        "in a store".into()
    }
}

impl<M: Message, S: Store<M>> Store<M> for Shared<S> {
    type Begun = S::Begun;
    type Error = S::Error;

    fn begin(
        &self,
        claim: Claim<'_>,
    ) -> impl Future<Output = Result<Begin<S::Begun, M::Reply>, S::Error>> + Send {
        self.0.begin(claim)
    }

    fn finish(
        &self,
        begun: S::Begun,
        reply: &M::Reply,
    ) -> impl Future<Output = Result<(), S::Error>> + Send {
        self.0.finish(begun, reply)
    }

    fn forget(&self, begun: S::Begun) -> impl Future<Output = Result<(), S::Error>> + Send {
        self.0.forget(begun)
    }
}

/// Every future of this store is ready at once, and cannot fail.
impl<M> Store<M> for MemoryStore<M::Reply>
where
    M: Message<Reply: ReplyClone>,
{
    type Begun = Run;
    type Error = Infallible;

    fn begin(
        &self,
        claim: Claim<'_>,
    ) -> impl Future<Output = Result<Begin<Run, M::Reply>, Infallible>> + Send {
        let begin = self.begin(claim.key, claim.fingerprint, claim.now);
        ready(Ok(begin.map_reply(|reply| (*reply).clone())))
    }

    fn finish(
        &self,
        run: Run,
        reply: &M::Reply,
    ) -> impl Future<Output = Result<(), Infallible>> + Send {
        self.finish(run, reply.clone());
        ready(Ok(()))
    }

    fn forget(&self, run: Run) -> impl Future<Output = Result<(), Infallible>> + Send {
        self.forget(run);
        ready(Ok(()))
    }
}

impl<B, R> Begin<B, R> {
    fn map_reply<T>(self, map: impl FnOnce(R) -> T) -> Begin<B, T> {
        match self {
            Self::Run(begun) => Begin::Run(begun),
            Self::Full { limit } => Begin::Full { limit },
            Self::Known(Record {
                fingerprint,
                progress,
            }) => Begin::Known(Record {
                fingerprint,
                progress: match progress {
                    Progress::Begun => Progress::Begun,
                    Progress::Done(reply) => Progress::Done(map(reply)),
                },
            }),
        }
    }
}
