//! [`Retry`]: the settings of the layer that repeats failed messages.

use std::fmt;
use std::time::Duration;

use super::judge::ByClass;
use super::policy::MOST_ATTEMPTS;
use super::{Backoff, Jitter, RetryPolicy, RetryRecovery};
use crate::message::Message;
use crate::middleware::{Budget, ErrorPredicate, Handles};
use crate::outcome::{Error, Repeatable};
use crate::pipeline::{Boxed, Facts, Layer, Recovered, Role, RouteInfo};
use crate::setting::InvalidSetting;
use crate::sync::PlainArc;

/// Attempts a message again when it fails, after a pause. See [the module](super).
///
/// Clones share the budget and the state behind [`handles`](Self::handles). Buses with different clocks
/// cannot share one budget. Apart from that, a clone creates its own instances: see
/// [`Layer`](crate::Layer#one-instance-a-route).
pub struct Retry<J = ByClass> {
    attempts: u32,
    backoff: Backoff,
    seed: Option<u64>,
    budget: Option<Budget>,
    when: PlainArc<J>,
    handles: Handles<RetryPolicy>,
}

impl Retry {
    /// Makes up to `attempts` attempts (from 1 to 100, the first included), with a pause of `delay` after
    /// each failure. `delay` is from zero to [`max_delay`](Self::max_delay).
    #[must_use]
    pub fn fixed(attempts: u32, delay: Duration) -> Self {
        Self::new(attempts, Backoff::fixed(delay))
    }

    /// Makes up to `attempts` attempts (from 1 to 100, the first included), with pauses of `step`, then twice
    /// `step`, then three times `step`. `step` is above zero.
    #[must_use]
    pub fn linear(attempts: u32, step: Duration) -> Self {
        Self::new(attempts, Backoff::linear(step))
    }

    /// Makes up to `attempts` attempts (from 1 to 100, the first included), with pauses of `base`, then twice
    /// `base` (see [`factor`](Self::factor)), then four times `base`. `base` is above zero, and the jitter is
    /// [full](Jitter::Full).
    #[must_use]
    pub fn exponential(attempts: u32, base: Duration) -> Self {
        Self::new(attempts, Backoff::exponential(base))
    }

    /// Makes up to `attempts` attempts (from 1 to 100, the first included), with the pauses of `backoff`.
    #[must_use]
    pub fn new(attempts: u32, backoff: Backoff) -> Self {
        Self {
            attempts,
            backoff,
            seed: None,
            budget: Some(Budget::default()),
            when: PlainArc::new(ByClass),
            handles: Handles::default(),
        }
    }
}

impl<J> Retry<J> {
    /// Sets the [`Backoff::factor`] of an exponential backoff, from 1 to 100. Default: 2.
    #[must_use]
    pub fn factor(mut self, factor: f64) -> Self {
        self.backoff = self.backoff.factor(factor);
        self
    }

    /// Sets the [`Backoff::max_delay`], from a nanosecond to a day, and no shorter than the first delay.
    /// Default: 30 s. An error that asks for a longer pause is returned at once.
    #[must_use]
    pub fn max_delay(mut self, delay: Duration) -> Self {
        self.backoff = self.backoff.max_delay(delay);
        self
    }

    /// Sets how the pauses are spread. Default: [`Full`](Jitter::Full) for an exponential backoff, none for
    /// the other shapes.
    #[must_use]
    pub fn jitter(mut self, jitter: Jitter) -> Self {
        self.backoff = self.backoff.jitter(jitter);
        self
    }

    /// Draws the jitter of each route from this seed, so that every run of a test sees identical pauses.
    /// Default: a seed that differs from process to process.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Withdraws the repeats from `budget`, which may have other settings or be shared by several layers.
    /// Default: a [`Budget::default`] that all routes of this layer share.
    #[must_use]
    pub fn budget(mut self, budget: Budget) -> Self {
        self.budget = Some(budget);
        self
    }

    /// Repeats without a budget: when all messages fail, the backend gets `attempts` times its load.
    #[must_use]
    pub fn without_budget(mut self) -> Self {
        self.budget = None;
        self
    }

    /// Lets `repeats` choose the errors that are worth another attempt, instead of the class of the error.
    /// The closure is asked only about errors that allow a repeat: the handler's errors, and the errors of
    /// layers that rejected the message for now. A panic of the closure propagates to the caller.
    ///
    /// The closure names the error type of its messages, so the layer belongs in a scope of those messages.
    ///
    /// It names the error of its messages, so the layer stands in a scope of those.
    ///
    /// ```
    /// use std::time::Duration;
    /// use arcbus::middleware::Retry;
    /// use arcbus::{Context, Error, Message, Query, QueryBus, from_fn};
    ///
    /// #[derive(Clone)]
    /// struct Quote;
    /// impl Message for Quote {
    ///     const NAME: &'static str = "quote";
    ///     type Kind = Query;
    ///     type Reply = u32;
    ///     type Error = Status;
    /// }
    ///
    /// #[derive(Debug, PartialEq)]
    /// struct Status(u16);
    /// # impl std::fmt::Display for Status {
    /// #     fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { write!(f, "status {}", self.0) }
    /// # }
    /// # impl std::error::Error for Status {}
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let unavailable = |error: &Error<Status>| error.as_handler() == Some(&Status(503));
    /// let retry = Retry::fixed(5, Duration::ZERO).retry_if(unavailable);
    /// let bus = QueryBus::builder()
    ///     .scope(|s| {
    ///         s.layer(retry).register(from_fn(|_: Quote, cx: &Context<'_>| match cx.attempt() {
    ///             1 | 2 => Err(Status(503)),
    ///             _ => Err(Status(404)),
    ///         }))
    ///     })
    ///     .build()?;
    /// assert_eq!(bus.execute_blocking(Quote), Err(Error::Handler(Status(404))));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn retry_if<E, F>(self, repeats: F) -> Retry<F>
    where
        F: Fn(&Error<E>) -> bool + Send + Sync + 'static,
    {
        Retry {
            attempts: self.attempts,
            backoff: self.backoff,
            seed: self.seed,
            budget: self.budget,
            when: PlainArc::new(repeats),
            handles: self.handles,
        }
    }

    /// Returns the policies of the routes, to read their counters and to change the number of attempts.
    #[must_use]
    pub fn handles(&self) -> Handles<RetryPolicy> {
        self.handles.clone()
    }

    fn policy(&self) -> Result<RetryPolicy, InvalidSetting> {
        let policy = RetryPolicy::new(self.attempts, self.backoff)?;
        Ok(match self.seed {
            Some(seed) => policy.seed(seed),
            None => policy,
        })
    }

    fn note(&self) -> String {
        let budget = self.budget.as_ref().map(Budget::note);
        let budget = budget.unwrap_or("no budget".into());
        format!("{} attempts, {}, {budget}", self.attempts, self.backoff)
    }
}

impl<M: Message + Repeatable, J: ErrorPredicate<M>> Layer<M> for Retry<J> {
    type Middleware = Recovered<RetryRecovery<J>, Boxed>;

    const ROLE: Role = Role::Retry;

    fn middleware(
        &self,
        route: &RouteInfo,
        previous: Option<&Self::Middleware>,
    ) -> Result<Self::Middleware, InvalidSetting> {
        let policy = self.policy()?;
        self.budget.as_ref().map_or(Ok(()), Budget::check)?;
        let settings = (self.attempts, self.backoff, self.seed);
        let previous = previous.map(|previous| &previous.get_ref().policy);
        let policy = self.handles.keep_or_add(route, previous, policy, settings);
        let (budget, when) = (self.budget.clone(), PlainArc::clone(&self.when));
        Ok(Recovered::boxed(RetryRecovery::new(policy, budget, when)))
    }

    fn facts(&self) -> Facts {
        let pauses = self.attempts.min(MOST_ATTEMPTS).saturating_sub(1);
        let each = (1..=pauses).map(|failed| self.backoff.longest(failed));
        let waits = each.fold(Duration::ZERO, Duration::saturating_add);
        let longest = self.backoff.longest_delay();
        let facts = Facts::new()
            .attempts(self.attempts)
            .waits(waits)
            .waits_as_told(longest.saturating_mul(pauses))
            .live()
            .note(self.note());
        match &self.budget {
            Some(budget) => budget.tie(facts),
            None => facts,
        }
    }
}

impl<J> Clone for Retry<J> {
    fn clone(&self) -> Self {
        Self {
            budget: self.budget.clone(),
            when: PlainArc::clone(&self.when),
            handles: self.handles.clone(),
            ..*self
        }
    }
}

impl<J> fmt::Debug for Retry<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Retry")
            .field("attempts", &self.attempts)
            .field("backoff", &self.backoff)
            .field("seed", &self.seed)
            .field("budget", &self.budget)
            .field("handles", &self.handles)
            .finish_non_exhaustive()
    }
}
