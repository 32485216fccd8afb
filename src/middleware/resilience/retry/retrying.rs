//! [`Retrying`]: the future of a message that may be attempted again.

use std::pin::Pin;
use std::task::{self, Poll};

use pin_project_lite::pin_project;

use crate::message::Message;
use crate::outcome::{Error, Outcome};

pin_project! {
    /// The first attempt in place, all others boxed: a future that held them would be twice as large for
    /// each message, and who waits between two attempts does not mind an allocation.
    #[project = RetryingProjection]
    pub(super) enum Retrying<M, F, R, A> {
        First {
            #[pin]
            rest: F,
            msg: Option<M>,
            repeat: R,
        },
        Again {
            attempts: Pin<Box<A>>,
        },
    }
}

impl<M, F, R, A> Retrying<M, F, R, A>
where
    M: Message,
    R: Fn(M, Error<M::Error>) -> Result<A, Error<M::Error>>,
{
    /// `rest` runs the first attempt of `msg`; `repeat` makes the others, or says that there are none.
    #[inline(always)]
    pub(super) fn first(rest: F, msg: M, repeat: R) -> Self {
        Self::First {
            rest,
            msg: Some(msg),
            repeat,
        }
    }
}

impl<M, F, R, A> Future for Retrying<M, F, R, A>
where
    M: Message,
    F: Future<Output = Outcome<M>>,
    R: Fn(M, Error<M::Error>) -> Result<A, Error<M::Error>>,
    A: Future<Output = Outcome<M>>,
{
    type Output = Outcome<M>;

    #[inline(always)]
    fn poll(mut self: Pin<&mut Self>, task: &mut task::Context<'_>) -> Poll<Outcome<M>> {
        match self.as_mut().project() {
            // Taken apart, so that a reply stays in registers.
            RetryingProjection::First { rest, .. } => match rest.poll(task) {
                Poll::Ready(Ok(reply)) => Poll::Ready(Ok(reply)),
                Poll::Ready(Err(error)) => self.first_failed(error, task),
                Poll::Pending => Poll::Pending,
            },
            RetryingProjection::Again { attempts } => attempts.as_mut().poll(task),
        }
    }
}

impl<M, F, R, A> Retrying<M, F, R, A>
where
    M: Message,
    R: Fn(M, Error<M::Error>) -> Result<A, Error<M::Error>>,
    A: Future<Output = Outcome<M>>,
{
    #[cold]
    #[inline(never)]
    fn first_failed(
        mut self: Pin<&mut Self>,
        error: Error<M::Error>,
        task: &mut task::Context<'_>,
    ) -> Poll<Outcome<M>> {
        let RetryingProjection::First { msg, repeat, .. } = self.as_mut().project() else {
            unreachable!("the first attempt is there once");
        };
        let msg = msg.take().expect("polled after completion");
        match repeat(msg, error) {
            Ok(attempts) => {
                let mut attempts = Box::pin(attempts);
                let polled = attempts.as_mut().poll(task);
                self.set(Self::Again { attempts });
                polled
            }
            Err(error) => Poll::Ready(Err(error)),
        }
    }
}
