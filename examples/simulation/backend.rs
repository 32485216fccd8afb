//! The backend: servers, a queue before them, and its health.
//!
//! What it has taken in it does, also if its caller has given up meanwhile: it does not learn of that. So
//! a queue that is longer than the callers' patience is work for nobody, and calls made again are more of
//! it: Bronson et al., "Metastable failures in distributed systems", HotOS 2021.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{self, Poll, Waker};
use std::time::Duration;

use arcbus::middleware::Cacheable;
use arcbus::{Class, Context, Handler, Message, Query};

use super::random::Random;
use super::timeline::{Health, STUMBLE};

/// How many calls are served at once.
pub(crate) const SERVERS: usize = 20;
/// How long one takes in the mean: together, 2000 calls a second.
const SERVICE: f64 = 0.010;
/// The standard deviation of its logarithm: one call in a hundred takes 2.8 times the mean.
const SPREAD: f64 = 0.5;
/// How many calls may wait: half a second's work when it is well.
const ROOM: usize = 1000;
/// In bins of this, the calls are counted.
pub(crate) const CALLS_BIN: Duration = Duration::from_millis(10);

/// Asks the backend for the quote of `key`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct GetQuote {
    pub(crate) key: u32,
}

impl Message for GetQuote {
    const NAME: &'static str = "quote.get";
    type Kind = Query;
    type Reply = u32;
    type Error = Trouble;

    fn classify(_: &Trouble) -> Class {
        Class::Transient
    }
}

impl Cacheable for GetQuote {
    type Key = u32;

    fn key(&self) -> &u32 {
        &self.key
    }
}

/// How a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The backend does not answer.
    Down,
    /// It went down with the call in it.
    Reset,
    /// Its queue is full.
    Full,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Down => "connection refused",
            Self::Reset => "connection reset",
            Self::Full => "queue full",
        })
    }
}

/// A handle on the backend; the handler is one.
#[derive(Clone)]
pub(crate) struct Backend(Arc<Mutex<Inner>>);

struct Inner {
    now: Duration,
    health: Health,
    random: Random,
    waiting: VecDeque<Call>,
    /// By the time of their end, then by age.
    served: BinaryHeap<Reverse<(Duration, u64)>>,
    calls: Vec<(u64, Call)>,
    begun: u64,
    /// How many calls were made, by [`CALLS_BIN`].
    made: Vec<u32>,
}

impl Backend {
    pub(crate) fn new(health: Health, random: Random) -> Self {
        Self(Arc::new(Mutex::new(Inner {
            now: Duration::ZERO,
            health,
            random,
            waiting: VecDeque::new(),
            served: BinaryHeap::new(),
            calls: Vec::new(),
            begun: 0,
            made: Vec::new(),
        })))
    }

    /// When the next call ends.
    pub(crate) fn next_end(&self) -> Option<Duration> {
        let inner = self.inner();
        inner.served.peek().map(|Reverse((end, _))| *end)
    }

    /// Ends what ends by `now` and begins what waited for it.
    pub(crate) fn advance(&self, now: Duration) {
        let ended = self.inner().advance(now);
        ended.into_iter().for_each(|call| call.end(Ok(42)));
    }

    pub(crate) fn set_health(&self, health: Health) {
        let lost = self.inner().set_health(health);
        let fail = |call: Call| call.end(Err(Trouble::Reset));
        lost.into_iter().for_each(fail);
    }

    /// How many calls were made so far, by [`CALLS_BIN`].
    pub(crate) fn made(&self) -> Vec<u32> {
        self.inner().made.clone()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn call(&mut self) -> Result<Call, Trouble> {
        self.count();
        if self.health == Health::Fails {
            return Err(Trouble::Down);
        }
        if self.hiccups() {
            return Err(Trouble::Reset);
        }
        if self.waiting.len() >= ROOM {
            return Err(Trouble::Full);
        }
        let call = Call::default();
        self.waiting.push_back(call.clone());
        self.begin();
        Ok(call)
    }

    fn count(&mut self) {
        let bin = (self.now.as_nanos() / CALLS_BIN.as_nanos()) as usize;
        if self.made.len() <= bin {
            self.made.resize(bin + 1, 0);
        }
        self.made[bin] += 1;
    }

    fn begin(&mut self) {
        while self.calls.len() < SERVERS {
            let Some(time) = self.service_time() else {
                return;
            };
            let Some(call) = self.waiting.pop_front() else {
                return;
            };
            self.begun += 1;
            self.served.push(Reverse((self.now + time, self.begun)));
            self.calls.push((self.begun, call));
        }
    }

    fn hiccups(&mut self) -> bool {
        let Health::Works(pace) = self.health else {
            return false;
        };
        pace.fails > 0.0 && self.random.unit() < pace.fails
    }

    /// Of the next that waits; `None` if it is not begun.
    fn service_time(&mut self) -> Option<Duration> {
        let Health::Works(pace) = self.health else {
            return None;
        };
        self.waiting.front()?;
        let stumbles = self.random.unit() < pace.stumbles;
        let mean = SERVICE * pace.slower * if stumbles { STUMBLE } else { 1.0 };
        Some(self.random.log_normal(mean, SPREAD))
    }

    fn advance(&mut self, now: Duration) -> Vec<Call> {
        self.now = now;
        let mut ended = Vec::new();
        while let Some(Reverse((end, number))) = self.served.peek().copied() {
            if end > now {
                break;
            }
            self.served.pop();
            let at = self.calls.iter().position(|(begun, _)| *begun == number);
            ended.extend(at.map(|at| self.calls.swap_remove(at).1));
        }
        self.begin();
        ended
    }

    /// Gives what is lost by it.
    fn set_health(&mut self, health: Health) -> Vec<Call> {
        self.health = health;
        let mut lost = Vec::new();
        if health == Health::Fails {
            self.served.clear();
            lost.extend(self.calls.drain(..).map(|(_, call)| call));
            lost.extend(self.waiting.drain(..));
        }
        self.begin();
        lost
    }
}

impl Handler<GetQuote> for Backend {
    async fn handle(&self, _: GetQuote, _: &Context<'_>) -> Result<u32, Trouble> {
        let call = self.inner().call()?;
        call.await
    }
}

impl fmt::Debug for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Backend({:?})", self.inner().health)
    }
}

/// A call in the backend, and its caller's wait for it. If the caller is gone, nobody hears of its end.
#[derive(Clone, Default)]
struct Call(Arc<Mutex<(Option<Answer>, Option<Waker>)>>);

type Answer = Result<u32, Trouble>;

impl Call {
    fn end(&self, answer: Answer) {
        let mut call = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        call.0 = Some(answer);
        let waker = call.1.take();
        drop(call);
        waker.into_iter().for_each(Waker::wake);
    }
}

impl Future for Call {
    type Output = Answer;

    fn poll(self: Pin<&mut Self>, task: &mut task::Context<'_>) -> Poll<Answer> {
        let mut call = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match call.0 {
            Some(answer) => Poll::Ready(answer),
            None => {
                call.1 = Some(task.waker().clone());
                Poll::Pending
            }
        }
    }
}
