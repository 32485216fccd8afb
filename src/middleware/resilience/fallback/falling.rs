//! [`Falling`]: the rest of a pipeline, and what comes in the place of its error.

use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{self, Poll, ready};

use pin_project_lite::pin_project;

use super::middleware::told;
use crate::context::Context;
use crate::message::Message;
use crate::outcome::{Error, Outcome};

pin_project! {
    #[project = FallingProjection]
    pub(super) enum Falling<'c, M, K, R, B, F> {
        Running {
            #[pin]
            rest: R,
            kept: Option<K>,
            cx: &'c Context<'c>,
            // Makes the substitute, or gives the error back. Here for its type, which cannot be written.
            instead: B,
        },
        Instead {
            #[pin]
            substitute: F,
            cx: &'c Context<'c>,
            _message: PhantomData<fn(M)>,
        },
    }
}

impl<M, K, R, B, F> Future for Falling<'_, M, K, R, B, F>
where
    M: Message,
    R: Future<Output = Outcome<M>>,
    B: Fn(K, Error<M::Error>) -> Result<F, Error<M::Error>>,
    F: Future<Output = Outcome<M>>,
{
    type Output = Outcome<M>;

    #[inline(always)]
    fn poll(mut self: Pin<&mut Self>, task: &mut task::Context<'_>) -> Poll<Outcome<M>> {
        let FallingProjection::Running { rest, .. } = self.as_mut().project() else {
            return self.poll_substitute(task);
        };
        // Taken apart, so that a reply stays in registers.
        match rest.poll(task) {
            Poll::Ready(Ok(reply)) => Poll::Ready(Ok(reply)),
            Poll::Ready(Err(error)) => self.fall(error, task),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<'c, M, K, R, B, F> Falling<'c, M, K, R, B, F>
where
    M: Message,
    B: Fn(K, Error<M::Error>) -> Result<F, Error<M::Error>>,
    F: Future<Output = Outcome<M>>,
{
    #[inline(always)]
    pub(super) fn begin(rest: R, kept: K, cx: &'c Context<'c>, instead: B) -> Self {
        Self::Running {
            rest,
            kept: Some(kept),
            cx,
            instead,
        }
    }

    #[cold]
    fn fall(
        mut self: Pin<&mut Self>,
        error: Error<M::Error>,
        task: &mut task::Context<'_>,
    ) -> Poll<Outcome<M>> {
        let FallingProjection::Running {
            kept, cx, instead, ..
        } = self.as_mut().project()
        else {
            unreachable!("it fails once");
        };
        let kept = kept.take().expect("it fails once");
        let cx = *cx;
        match instead(kept, error) {
            Ok(substitute) => self.set(Self::Instead {
                substitute,
                cx,
                _message: PhantomData,
            }),
            Err(error) => return Poll::Ready(Err(error)),
        }
        self.poll_substitute(task)
    }

    #[cold]
    fn poll_substitute(self: Pin<&mut Self>, task: &mut task::Context<'_>) -> Poll<Outcome<M>> {
        let FallingProjection::Instead { substitute, cx, .. } = self.project() else {
            unreachable!("only a substitute is polled here");
        };
        let outcome = ready!(substitute.poll(task));
        Poll::Ready(told::<M>(outcome, cx))
    }
}
