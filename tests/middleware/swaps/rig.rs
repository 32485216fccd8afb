//! A query whose handler waits until the test lets it finish, on a bus whose handler can be
//! replaced.

use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use arcbus::middleware::Cacheable;
use arcbus::{
    BusBuilder, CancelToken, Class, Context, FakeClock, Handler, Layer, Message, More, NoLayers,
    Outcome, Query, QueryBus, Registrar, Stack,
};

use crate::acts::{Steps, poll_once, ready};

pub(crate) const HOUR: Duration = Duration::from_secs(3600);

/// A message whose handler fails for numbers from 100 on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Task(pub(crate) u32);

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Down;

impl std::fmt::Display for Down {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("down")
    }
}

impl Message for Task {
    const NAME: &'static str = "task";
    type Kind = Query;
    /// The version of the handler that replied.
    type Reply = u32;
    type Error = Down;

    fn classify(_: &Down) -> Class {
        Class::Transient
    }
}

impl Cacheable for Task {
    type Key = u32;
    fn key(&self) -> &u32 {
        &self.0
    }
}

/// A version of the handler, which notes the number of each task that starts. A task ends when the
/// version's token allows.
#[derive(Clone)]
pub(crate) struct Version {
    number: u32,
    steps: Steps,
    gate: CancelToken,
}

impl Handler<Task> for Version {
    async fn handle(&self, msg: Task, _cx: &Context<'_>) -> Result<u32, Down> {
        self.steps.note(format!("{}>", msg.0));
        self.gate.cancelled().await;
        if msg.0 < 100 {
            Ok(self.number)
        } else {
            Err(Down)
        }
    }
}

/// Lets the tasks of a version end when dropped, even by a test that fails.
pub(crate) struct Opens(CancelToken);

impl Drop for Opens {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

impl Version {
    /// Returns a guard whose drop lets the tasks end.
    pub(crate) fn gate(&self) -> Opens {
        Opens(self.gate.clone())
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Lane {
    Blocking,
    Awaiting,
}

pub(crate) const LANES: [Lane; 2] = [Lane::Blocking, Lane::Awaiting];

/// A bus with the registrar that changes its handler.
pub(crate) struct Rig<S> {
    pub(crate) bus: QueryBus,
    pub(crate) registrar: Registrar<Query, S>,
    pub(crate) clock: FakeClock,
    pub(crate) steps: Steps,
    versions: AtomicU32,
}

/// Returns a bus without handlers, with its registrar and its clock.
pub(crate) fn empty() -> (QueryBus, Registrar<Query>, FakeClock) {
    let clock = FakeClock::new();
    let opened = QueryBus::builder().clock(clock.clone()).open();
    let (bus, registrar) = opened.expect("no handlers");
    (bus, registrar, clock)
}

/// Returns a bus with one layer around the first version.
pub(crate) fn rig<L: Layer<Task>>(layer: L) -> Rig<More<NoLayers, L>> {
    Rig::of(QueryBus::builder().layer(layer))
}

impl<S: Stack<Task>> Rig<S> {
    pub(crate) fn of(builder: BusBuilder<Query, S>) -> Self {
        let clock = FakeClock::new();
        let (bus, registrar) = builder.clock(clock.clone()).open().expect("no handlers");
        Self::around(bus, registrar, clock)
    }

    /// Returns a bus with the layers of `registrar` around the first version.
    pub(crate) fn around(bus: QueryBus, registrar: Registrar<Query, S>, clock: FakeClock) -> Self {
        let rig = Self {
            bus,
            registrar,
            clock,
            steps: Steps::default(),
            versions: AtomicU32::new(0),
        };
        rig.registrar.must_register(rig.version(true));
        rig
    }

    /// Returns the next version, which ends its tasks at once or when the returned token is
    /// cancelled.
    pub(crate) fn version(&self, at_once: bool) -> Version {
        let version = Version {
            number: self.versions.fetch_add(1, Ordering::Relaxed) + 1,
            steps: self.steps.clone(),
            gate: CancelToken::new(),
        };
        if at_once {
            version.gate.cancel();
        }
        version
    }

    /// Replaces the handler by a version that ends its tasks at once.
    pub(crate) fn swap(&self) {
        let _ = self
            .registrar
            .replace(self.version(true))
            .expect("registered");
    }

    /// Returns the outcomes in both lanes of a task that does not wait.
    pub(crate) fn both(&self, task: u32) -> [Outcome<Task>; 2] {
        [
            self.bus.execute_blocking(Task(task)),
            ready(self.bus.execute(Task(task))).expect("it does not wait"),
        ]
    }

    /// Returns the number of replies to two tasks that do not wait.
    pub(crate) fn passed(&self, task: u32) -> usize {
        self.both(task).iter().flatten().count()
    }

    /// Runs `during` after the handler of a running task was replaced, and returns the outcome.
    pub(crate) fn across_a_swap(
        &self,
        lane: Lane,
        task: u32,
        during: impl FnOnce(),
    ) -> Outcome<Task> {
        let slow = self.version(false);
        let gate = slow.gate();
        let _ = self.registrar.replace(slow).expect("registered");
        self.steps.take();
        let has_begun = || self.steps.contain(&format!("{task}>"));
        self.sent(lane, task, has_begun, || {
            let _gate = gate;
            self.swap();
            during();
        })
    }

    /// Sends a task, runs `during` once it `is_there`, and returns the outcome.
    pub(crate) fn sent(
        &self,
        lane: Lane,
        task: u32,
        is_there: impl Fn() -> bool,
        during: impl FnOnce(),
    ) -> Outcome<Task> {
        match lane {
            Lane::Awaiting => {
                let mut sent = Box::pin(self.bus.execute(Task(task)));
                assert!(poll_once(sent.as_mut()).is_pending());
                assert!(is_there());
                during();
                ready(sent).expect("it may end")
            }
            Lane::Blocking => thread::scope(|scope| {
                let sent = scope.spawn(|| self.bus.execute_blocking(Task(task)));
                while !is_there() {
                    thread::yield_now();
                }
                during();
                sent.join().expect("no panic")
            }),
        }
    }
}
