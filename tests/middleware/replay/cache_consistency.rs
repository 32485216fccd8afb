//! Commands change the values that readers see through a cache, on real threads. No read that
//! begins after a command's reply sees an older value.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use arcbus::middleware::cache::{CacheHandle, CacheStats, Outdated};
use arcbus::middleware::{Cache, Cacheable, Coalesce, Invalidates};
use arcbus::{
    Command, CommandBus, Context, Layer, Message, Query, QueryBus, from_async_fn_with, from_fn,
};

const KEYS: usize = 3;
/// Duration of each test, unless `ARCBUS_STRESS_SECONDS` sets a longer one.
const SHORT: Duration = Duration::from_millis(300);
/// Longest duration of a test, on a machine that is too busy.
const LONGEST: Duration = Duration::from_secs(30);

#[derive(Clone, Copy)]
struct Read(usize);

impl Message for Read {
    const NAME: &'static str = "read";
    type Kind = Query;
    type Reply = u64;
    type Error = String;
}

impl Cacheable for Read {
    type Key = usize;
    fn key(&self) -> &usize {
        &self.0
    }
}

struct Write(usize, u8);

impl Message for Write {
    const NAME: &'static str = "write";
    type Kind = Command;
    type Reply = u64;
    type Error = String;
}

impl Invalidates<Read> for Write {
    fn invalidates(&self) -> Outdated<Read> {
        let key = self.0;
        match self.1 {
            0 => Outdated::If(Box::new(move |other| *other == key)),
            1 => Outdated::All,
            _ => Outdated::Key(key),
        }
    }
}

#[derive(Default)]
struct Shared {
    versions: [AtomicU64; KEYS],
    /// The version of each key up to which the commands have replied.
    replied: [AtomicU64; KEYS],
    stop: AtomicBool,
    reads: AtomicU64,
    /// Number of reads during which a command of their key replied.
    overlapped: AtomicU64,
}

fn length() -> Duration {
    let seconds = std::env::var("ARCBUS_STRESS_SECONDS");
    let seconds = seconds.ok().and_then(|seconds| seconds.parse().ok());
    seconds.map_or(SHORT, Duration::from_secs)
}

/// Reads a version, and takes its time before it replies.
async fn read(shared: &Arc<Shared>, msg: Read, _cx: &Context<'_>) -> Result<u64, String> {
    let version = shared.versions[msg.0].load(Ordering::SeqCst);
    for _ in 0..version % 4 {
        thread::yield_now();
    }
    Ok(version)
}

fn reader(shared: &Shared, bus: &QueryBus, key: usize) {
    let mut key = key;
    while !shared.stop.load(Ordering::Relaxed) {
        key = (key + 1) % KEYS;
        let before = shared.replied[key].load(Ordering::SeqCst);
        let version = bus.execute_blocking(Read(key)).expect("a version");
        assert!(version >= before, "a read after {before} saw {version}");
        let after = shared.replied[key].load(Ordering::SeqCst);
        shared.reads.fetch_add(1, Ordering::Relaxed);
        shared
            .overlapped
            .fetch_add(u64::from(after > before), Ordering::Relaxed);
        // Yields, so that cache hits do not keep the commands from running.
        thread::yield_now();
    }
}

/// Only one thread writes each key, so that the versions of a key only grow.
fn writer(shared: &Shared, bus: &CommandBus, key: usize) {
    let mut turn = 0_u8;
    while !shared.stop.load(Ordering::Relaxed) {
        turn = turn.wrapping_add(1);
        let version = bus
            .execute_blocking(Write(key, turn % 8))
            .expect("a version");
        shared.replied[key].store(version, Ordering::SeqCst);
        for _ in 0..turn % 16 {
            thread::yield_now();
        }
    }
}

fn run(
    layer: impl Layer<Read>,
    invalidator: impl Layer<Write>,
    handle: &CacheHandle<Read>,
) -> (Arc<Shared>, CacheStats) {
    let shared = Arc::<Shared>::default();
    let read_from = from_async_fn_with(
        Arc::clone(&shared),
        async |shared: &Arc<Shared>, msg, cx: &Context<'_>| read(shared, msg, cx).await,
    );
    let queries = QueryBus::builder()
        .layer(layer)
        .register::<Read, _>(read_from);
    let queries = queries.build().expect("in range");
    let written = Arc::clone(&shared);
    let write = move |msg: Write, _: &Context<'_>| {
        Ok(written.versions[msg.0].fetch_add(1, Ordering::SeqCst) + 1)
    };
    let commands = CommandBus::builder()
        .layer(invalidator)
        .register(from_fn(write));
    let commands = commands.build().expect("in range");
    thread::scope(|scope| {
        for key in 0..KEYS {
            let (shared, queries, commands) = (&shared, &queries, &commands);
            scope.spawn(move || stopping(shared, || reader(shared, queries, key)));
            scope.spawn(move || stopping(shared, || writer(shared, commands, key)));
        }
        let began = Instant::now();
        let goes_on = |spent: Duration| {
            spent < length() || (spent < LONGEST && !enough(&shared, handle.stats()))
        };
        while goes_on(began.elapsed()) && !shared.stop.load(Ordering::Relaxed) {
            thread::sleep(Duration::from_millis(5));
        }
        shared.stop.store(true, Ordering::Relaxed);
    });
    (shared, handle.stats())
}

/// Runs `work`, and stops all threads if the work fails.
fn stopping(shared: &Shared, work: impl FnOnce()) {
    struct Stop<'a>(&'a AtomicBool);
    impl Drop for Stop<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let _stop = Stop(&shared.stop);
    work();
}

/// Returns whether enough has happened for the test to mean something.
fn enough(shared: &Shared, stats: CacheStats) -> bool {
    let overlapped = shared.overlapped.load(Ordering::Relaxed);
    overlapped > 10 && stats.loads > 100 && stats.waits > 10
}

fn check(shared: &Shared, stats: CacheStats) {
    let reads = shared.reads.load(Ordering::Relaxed);
    let overlapped = shared.overlapped.load(Ordering::Relaxed);
    println!("{reads} reads, {overlapped} of them overlapped by a command; {stats:?}");
    assert!(enough(shared, stats), "{overlapped}, {stats:?}");
}

#[test]
fn no_read_through_a_cache_after_a_command_replied_sees_older_data() {
    let minute = Duration::from_secs(60);
    let cache = Cache::ttl(minute).stale_while_revalidate(minute);
    let (handle, invalidator) = (cache.handle::<Read>(), cache.invalidator::<Read>());
    let (shared, stats) = run(cache, invalidator, &handle);
    check(&shared, stats);
    assert!(stats.hits > 10, "{stats:?}");
}

#[test]
fn no_coalesced_read_after_a_command_replied_sees_older_data() {
    let coalesce = Coalesce::new();
    let (handle, invalidator) = (coalesce.handle::<Read>(), coalesce.invalidator::<Read>());
    let (shared, stats) = run(coalesce, invalidator, &handle);
    check(&shared, stats);
}
