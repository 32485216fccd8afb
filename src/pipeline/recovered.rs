//! [`Recovered`]: the adapter from a recovery to a middleware.

use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{self, Poll};

use pin_project_lite::pin_project;

use super::middleware::sealed::Sealed;
use super::park::{Blocked, block_on};
use super::{Facts, Middleware, Next, Recover, Role};
use crate::context::Context;
use crate::message::Message;
use crate::outcome::{Error, Outcome};

/// A recovery as a middleware: `.wrap(Recovered::new(recovery))`, or the `Middleware` type of a layer.
///
/// `H` selects the place of the recovery's future: [`InPlace`] or [`Boxed`].
pub struct Recovered<R, H = InPlace> {
    recover: R,
    held: PhantomData<fn() -> H>,
}

/// Holds a recovery in the dispatch's own future, in the place of the inner service, without an allocation.
#[derive(Clone, Copy, Debug)]
pub struct InPlace;

/// Holds a recovery on the heap, so that successful dispatches stay small even with a large recovery.
#[derive(Clone, Copy, Debug)]
pub struct Boxed;

impl<R> Recovered<R> {
    /// Creates the adapter, which holds the future of the recovery [in place](InPlace).
    pub const fn new(recover: R) -> Self {
        Self::held(recover)
    }
}

impl<R> Recovered<R, Boxed> {
    /// Creates the adapter, which holds the recovery of the async lane [on the heap](Boxed), while the
    /// blocking lane allocates nothing.
    pub const fn boxed(recover: R) -> Self {
        Self::held(recover)
    }
}

impl<R, H> Recovered<R, H> {
    const fn held(recover: R) -> Self {
        Self {
            recover,
            held: PhantomData,
        }
    }

    /// Returns the recovery, for example for a layer whose state outlives a handler.
    pub const fn get_ref(&self) -> &R {
        &self.recover
    }

    #[cold]
    #[inline(never)]
    fn block_recovery<M: Message>(
        &self,
        kept: R::Kept,
        error: Error<M::Error>,
        cx: &Context<'_>,
        next: &impl Next<M>,
    ) -> Blocked<M>
    where
        R: Recover<M>,
    {
        match self.recover.plan(&error, cx) {
            Some(plan) => block_on::<M>(self.recover.recover(plan, kept, error, cx, next), cx),
            None => Ok(Err(error)),
        }
    }
}

impl<M: Message, R: Recover<M>, H: Hold> Middleware<M> for Recovered<R, H> {
    const ROLE: Role = R::ROLE;

    /// Begins at once, so that the message is handed on instead of being stored.
    #[inline(always)]
    fn handle(
        &self,
        msg: M,
        cx: &Context<'_>,
        next: &impl Next<M>,
    ) -> impl Future<Output = Outcome<M>> + Send {
        // The arguments stand in the call, because a variable would copy the message once more in a debug
        // build.
        RecoveredFuture::<M, _, _, _, _>::begin(
            Some(self.recover.keep(&msg)),
            next.run(msg, cx),
            move |kept, error| match self.recover.plan(&error, cx) {
                Some(plan) => Ok(H::hold(self.recover.recover(plan, kept, error, cx, next))),
                None => Err(error),
            },
        )
    }

    #[inline(always)]
    fn block(&self, msg: M, cx: &Context<'_>, next: &impl Next<M>) -> Blocked<M> {
        let kept = self.recover.keep(&msg);
        match next.block(msg, cx)? {
            Ok(reply) => Ok(Ok(reply)),
            Err(error) => self.block_recovery(kept, error, cx, next),
        }
    }

    fn facts(&self) -> Facts {
        self.recover.facts()
    }
}

/// Selects the place where a [`Recovered`] holds a recovery. Implemented by [`InPlace`] and [`Boxed`].
pub trait Hold: Sealed + 'static {
    #[doc(hidden)]
    type Held<A: Future + Send>: Future<Output = A::Output> + Send;

    #[doc(hidden)]
    fn hold<A: Future + Send>(recovery: A) -> Self::Held<A>;
}

impl Sealed for InPlace {}

impl Hold for InPlace {
    type Held<A: Future + Send> = A;

    #[inline(always)]
    fn hold<A: Future + Send>(recovery: A) -> A {
        recovery
    }
}

impl Sealed for Boxed {}

impl Hold for Boxed {
    type Held<A: Future + Send> = Pin<Box<A>>;

    #[inline(always)]
    fn hold<A: Future + Send>(recovery: A) -> Pin<Box<A>> {
        Box::pin(recovery)
    }
}

pin_project! {
    #[project = RecoveredProjection]
    enum RecoveredFuture<M, K, F, B, A> {
        Running {
            #[pin]
            rest: F,
            kept: Option<K>,
            // A closure that begins the recovery or gives the error back, held in a field because its type
            // cannot be written.
            begin: B,
        },
        Recovering {
            #[pin]
            recovery: A,
            message: PhantomData<fn(M)>,
        },
    }
}

impl<M, K, F, B, A> RecoveredFuture<M, K, F, B, A>
where
    M: Message,
    B: Fn(K, Error<M::Error>) -> Result<A, Error<M::Error>>,
    A: Future<Output = Outcome<M>>,
{
    #[inline(always)]
    fn begin(kept: Option<K>, rest: F, begin: B) -> Self {
        Self::Running { rest, kept, begin }
    }

    #[cold]
    #[inline(never)]
    fn failed(
        mut self: Pin<&mut Self>,
        error: Error<M::Error>,
        task: &mut task::Context<'_>,
    ) -> Poll<Outcome<M>> {
        let RecoveredProjection::Running { kept, begin, .. } = self.as_mut().project() else {
            unreachable!("the inner service fails once");
        };
        let kept = kept.take().expect("the inner service fails once");
        match begin(kept, error) {
            Ok(recovery) => self.set(Self::Recovering {
                recovery,
                message: PhantomData,
            }),
            Err(error) => return Poll::Ready(Err(error)),
        }
        self.poll_recovery(task)
    }

    #[cold]
    fn poll_recovery(self: Pin<&mut Self>, task: &mut task::Context<'_>) -> Poll<Outcome<M>> {
        match self.project() {
            RecoveredProjection::Recovering { recovery, .. } => recovery.poll(task),
            RecoveredProjection::Running { .. } => unreachable!("it has failed"),
        }
    }
}

impl<M, K, F, B, A> Future for RecoveredFuture<M, K, F, B, A>
where
    M: Message,
    F: Future<Output = Outcome<M>>,
    B: Fn(K, Error<M::Error>) -> Result<A, Error<M::Error>>,
    A: Future<Output = Outcome<M>>,
{
    type Output = Outcome<M>;

    #[inline(always)]
    fn poll(mut self: Pin<&mut Self>, task: &mut task::Context<'_>) -> Poll<Outcome<M>> {
        let RecoveredProjection::Running { rest, .. } = self.as_mut().project() else {
            return self.poll_recovery(task);
        };
        // Taken apart, so that a reply stays in registers.
        match rest.poll(task) {
            Poll::Ready(Ok(reply)) => Poll::Ready(Ok(reply)),
            Poll::Ready(Err(error)) => self.failed(error, task),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<R: Clone, H> Clone for Recovered<R, H> {
    fn clone(&self) -> Self {
        Self::held(self.recover.clone())
    }
}

impl<R: fmt::Debug, H> fmt::Debug for Recovered<R, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Recovered").field(&self.recover).finish()
    }
}
