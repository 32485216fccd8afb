//! A backend that works, then hangs, then fails, then works again, behind a rate limit, a bulkhead,
//! a circuit breaker and a timeout. A table shows the states of these layers over time.
//!
//! ```text
//! cargo run --release -p arcbus-examples --bin resilience
//! ```
//!
//! At the end the counts must agree: every message ended in a reply or in one kind of error.

use std::error::Error;
use std::fmt;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use arcbus::ErrorKind;
use arcbus::metrics::Metrics;
use arcbus::middleware::{
    Bulkhead, CircuitBreaker, Handles, ProductionConfig, ProductionLayers, RateLimit, Timeout,
    bulkhead::BulkheadPolicy, circuit_breaker::CircuitBreakerPolicy,
};
use arcbus::{Class, Context, Handler, Message, Query, QueryBus};

/// Asks the backend for a quote.
struct GetQuote;

impl Message for GetQuote {
    const NAME: &'static str = "quote.get";
    type Kind = Query;
    type Reply = u32;
    type Error = OutOfOrder;

    fn classify(_: &OutOfOrder) -> Class {
        Class::Transient
    }
}

/// The error of a backend that cannot reply.
#[derive(Debug)]
struct OutOfOrder;

impl fmt::Display for OutOfOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the backend is out of order")
    }
}

impl Error for OutOfOrder {}

/// The health of the backend, which depends on the time since the start.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Health {
    Works,
    Hangs,
    Fails,
}

const PHASE: Duration = Duration::from_millis(800);

/// A backend that hangs and fails for some time.
struct Backend {
    started: Instant,
}

impl Backend {
    fn health(started: Instant) -> Health {
        match started.elapsed().as_millis() / PHASE.as_millis() {
            1 => Health::Hangs,
            2 => Health::Fails,
            _ => Health::Works,
        }
    }
}

impl Handler<GetQuote> for Backend {
    async fn handle(&self, _: GetQuote, _: &Context<'_>) -> Result<u32, OutOfOrder> {
        match Self::health(self.started) {
            Health::Works => Ok(42),
            Health::Fails => Err(OutOfOrder),
            Health::Hangs => std::future::pending().await,
        }
    }
}

/// The metrics and handles whose state the table shows.
struct Watched {
    metrics: Metrics,
    breakers: Handles<CircuitBreakerPolicy>,
    bulkheads: Handles<BulkheadPolicy>,
}

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            eprintln!("the counts do not agree");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<bool, Box<dyn Error>> {
    let started = Instant::now();
    let metrics = Metrics::new();
    let breaker = CircuitBreaker::time_window(Duration::from_secs(1))
        .failure_rate(0.5)
        .minimum_calls(5)
        .open_for(Duration::from_millis(200))
        .half_open_probes(2);
    let bulkhead = Bulkhead::new(3);
    let watched = Watched {
        metrics: metrics.clone(),
        breakers: breaker.handles(),
        bulkheads: bulkhead.handles(),
    };
    let config = ProductionConfig::new()
        .metrics(metrics.layer())
        .rate_limit(RateLimit::per_second(400).burst(40))
        .bulkhead(bulkhead)
        .circuit_breaker(breaker)
        .timeout(Timeout::new(Duration::from_millis(50)));
    let bus = QueryBus::builder()
        .layers(&ProductionLayers::queries(config))
        .register(Backend { started })
        .build()?;
    let sent = dispatch_and_show(&bus, &watched, started);
    Ok(close_the_books(&watched, sent))
}

/// Runs four callers until the backend has recovered, and prints a line of the table at regular
/// intervals. Returns the number of messages sent.
fn dispatch_and_show(bus: &QueryBus, watched: &Watched, started: Instant) -> u64 {
    let over = AtomicBool::new(false);
    let caller = || {
        let mut sent = 0;
        while !over.load(Relaxed) {
            drop(bus.execute_blocking(GetQuote));
            sent += 1;
            thread::sleep(Duration::from_millis(5));
        }
        sent
    };
    println!(
        "{:>6} {:7} {:10} {:>7} {:>8} {:>8} {:>9} {:>8} {:>8} {:>8}",
        "ms",
        "backend",
        "breaker",
        "failing",
        "in use",
        "replies",
        "timeouts",
        "failed",
        "open",
        "refused"
    );
    thread::scope(|scope| {
        let callers: Vec<_> = (0..4).map(|_| scope.spawn(caller)).collect();
        while started.elapsed() < PHASE * 4 {
            thread::sleep(PHASE / 4);
            show(watched, started);
        }
        over.store(true, Relaxed);
        let sent = callers.into_iter().map(|caller| caller.join());
        sent.map(|sent| sent.expect("callers do not panic")).sum()
    })
}

fn show(watched: &Watched, started: Instant) {
    let (breakers, bulkheads) = (watched.breakers.all(), watched.bulkheads.all());
    let (Some((_, breaker)), Some((_, bulkhead))) = (breakers.first(), bulkheads.first()) else {
        return;
    };
    let reading = breaker.reading();
    let usage = bulkhead.usage();
    let snapshot = watched.metrics.snapshot();
    let Some(quotes) = snapshot.route(GetQuote::NAME) else {
        return;
    };
    println!(
        "{:>6} {:7} {:10} {:>6.0}% {:>8} {:>8} {:>9} {:>8} {:>8} {:>8}",
        started.elapsed().as_millis(),
        format!("{:?}", Backend::health(started)),
        format!("{:?}", reading.state()),
        100.0 * reading.failure_rate(),
        format!("{}/{}", usage.in_use, usage.limit),
        quotes.replies(),
        quotes.failures(ErrorKind::Timeout),
        quotes.failures(ErrorKind::Transient),
        quotes.failures(ErrorKind::CircuitOpen),
        quotes.failures(ErrorKind::Overloaded) + quotes.failures(ErrorKind::RateLimited),
    );
}

/// Prints the final counts, and returns whether each message that was sent ended exactly once.
fn close_the_books(watched: &Watched, sent: u64) -> bool {
    let snapshot = watched.metrics.snapshot();
    println!("\n{snapshot}");
    snapshot.route(GetQuote::NAME).is_some_and(|quotes| {
        println!("{sent} sent, {} ended", quotes.count());
        quotes.count() == sent && quotes.in_flight() == 0
    })
}
