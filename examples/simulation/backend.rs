//! The backend: servers, a queue in front of them, and its health.
//!
//! The backend completes every accepted call, even if the caller has given up, because it does not
//! learn of that. A queue longer than the callers' patience is therefore work for nobody, and
//! retries add more of it. See Bronson et al., "Metastable failures in distributed systems", HotOS
//! 2021.

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

/// Number of calls that the backend serves concurrently.
pub(crate) const SERVERS: usize = 20;
/// Mean service time of a call, in seconds, so that all servers together serve 2000 calls a second.
const SERVICE: f64 = 0.010;
/// Standard deviation of the logarithm of a service time: one call in a hundred takes 2.8 times the
/// mean.
const SPREAD: f64 = 0.5;
/// Number of calls that may wait, which is half a second's work of a healthy backend.
const ROOM: usize = 1000;
/// Width of the bins in which calls are counted.
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

/// The reason why a call fails, which the caller receives as its error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The backend is down and refuses the call at once.
    Down,
    /// The backend crashed while it was processing the call.
    Reset,
    /// The backend's queue is full, so that the call is refused.
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

/// A handle on the backend, which is also the handler of the simulation.
#[derive(Clone)]
pub(crate) struct Backend(Arc<Mutex<Inner>>);

struct Inner {
    now: Duration,
    health: Health,
    random: Random,
    waiting: VecDeque<Call>,
    /// Calls in service, ordered by the time of their end, and then by age.
    served: BinaryHeap<Reverse<(Duration, u64)>>,
    calls: Vec<(u64, Call)>,
    begun: u64,
    /// Number of calls that were made, in bins of [`CALLS_BIN`].
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

    /// Returns the time at which the next call ends.
    pub(crate) fn next_end(&self) -> Option<Duration> {
        let inner = self.inner();
        inner.served.peek().map(|Reverse((end, _))| *end)
    }

    /// Ends all calls that are due by `now`, and starts the calls that waited for a server.
    pub(crate) fn advance(&self, now: Duration) {
        let ended = self.inner().advance(now);
        ended.into_iter().for_each(|call| call.end(Ok(42)));
    }

    pub(crate) fn set_health(&self, health: Health) {
        let lost = self.inner().set_health(health);
        let fail = |call: Call| call.end(Err(Trouble::Reset));
        lost.into_iter().for_each(fail);
    }

    /// Returns the number of calls made so far, in bins of [`CALLS_BIN`].
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

    /// Returns the service time of the next waiting call, or `None` if that call cannot begin.
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

    /// Sets the health, and returns the calls that are lost by the change.
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

/// A call in the backend, which its caller may wait for. If the caller is gone, the end of the call
/// goes unnoticed.
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
