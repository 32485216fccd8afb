//! The future of a middleware that may be switched off.

use std::pin::Pin;
use std::task::{self, Poll};

use pin_project_lite::pin_project;

pin_project! {
    /// Either of two futures with equal output types.
    #[project = EitherProjection]
    pub(crate) enum Either<A, B> {
        On { #[pin] future: A },
        Off { #[pin] future: B },
    }
}

impl<A, B> Either<A, B> {
    #[inline(always)]
    pub(crate) fn on(future: A) -> Self {
        Self::On { future }
    }

    #[inline(always)]
    pub(crate) fn off(future: B) -> Self {
        Self::Off { future }
    }
}

impl<A, B> Future for Either<A, B>
where
    A: Future,
    B: Future<Output = A::Output>,
{
    type Output = A::Output;

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, task: &mut task::Context<'_>) -> Poll<A::Output> {
        match self.project() {
            EitherProjection::On { future } => future.poll(task),
            EitherProjection::Off { future } => future.poll(task),
        }
    }
}
