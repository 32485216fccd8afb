//! Dispatching inside and outside tokio runtimes, and the places where blocking is rejected
//! (feature `tokio`).

use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::thread;
use std::time::Duration;

use crate::acts::{Act, Actor, Steps};
use arcbus::{
    Command, CommandBus, Context, Handler, Message, Middleware, Next, Outcome, from_async_fn,
    static_bus,
};
use tokio::runtime::{Builder, Runtime};

const ADVICE: &str = "would deadlock: the handler waits, and execute_blocking would park the one \
                      thread of this current-thread tokio runtime: await `execute` instead, use a \
                      multi-thread runtime, or dispatch from a `std::thread`";

/// A message whose handler waits for another thread.
#[derive(Clone)]
struct Later;

impl Message for Later {
    const NAME: &'static str = "later";
    type Kind = Command;
    type Reply = u32;
    type Error = String;
}

struct Laters;

impl Handler<Later> for Laters {
    async fn handle(&self, _msg: Later, _cx: &Context<'_>) -> Result<u32, String> {
        woken_by_a_thread().await;
        Ok(7)
    }
}

/// The state of a wait, shared with the thread that ends the wait: a flag for the end, and the waker.
type Wait = Arc<Mutex<(bool, Waker)>>;

/// Pending at its first poll, and ready after its own thread has called the waker.
async fn woken_by_a_thread() {
    let wait: Wait = Arc::new(Mutex::new((false, Waker::noop().clone())));
    let mut begun = false;
    poll_fn(|task| {
        let mut shared = wait.lock().expect("no panic");
        shared.1.clone_from(task.waker());
        if !std::mem::replace(&mut begun, true) {
            let wait = Arc::clone(&wait);
            thread::spawn(move || end(&wait));
            return Poll::Pending;
        }
        if shared.0 {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
}

fn end(wait: &Wait) {
    let mut shared = wait.lock().expect("no panic");
    shared.0 = true;
    shared.1.wake_by_ref();
}

static_bus! {
    struct Static: Command {
        later: Later => Laters,
    }
}

fn bus() -> CommandBus {
    CommandBus::builder()
        .register(Laters)
        .register(Actor::default())
        .build()
        .expect("two names")
}

fn current_thread() -> Runtime {
    Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime")
}

fn multi_thread() -> Runtime {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(2).build().expect("a runtime")
}

fn assert_refused<M: Message<Error = String, Reply: std::fmt::Debug>>(outcome: Outcome<M>) {
    let error = outcome.expect_err("it would deadlock");
    assert!(error.is_would_deadlock());
    assert!(error.is_indeterminate(), "the handler had begun");
    assert_eq!(error.to_string(), ADVICE);
}

#[test]
fn blocking_on_a_current_thread_runtime_is_refused_where_the_handler_waits() {
    let bus = bus();
    current_thread().block_on(async {
        assert_refused::<Later>(bus.execute_blocking(Later));
        assert_refused::<Later>(bus.execute_blocking_with(Later, Context::new()));
        assert_refused::<Later>(bus.local().execute_blocking(Later));
        let mut route = bus.route::<Later>().expect("registered");
        assert_refused::<Later>(route.execute_blocking(Later));
        assert_refused::<Later>(Static::new(Laters).execute_blocking(Later));
        for outcome in bus.execute_batch_blocking([Later, Later]) {
            assert_refused::<Later>(outcome);
        }
    });
}

#[test]
fn a_refused_handler_is_dropped() {
    let steps = Steps::default();
    let bus = CommandBus::builder()
        .register(Actor(steps.clone()))
        .build()
        .expect("one name");
    current_thread().block_on(async {
        assert_refused::<Act>(bus.execute_blocking(Act::Wait));
    });
    assert_eq!(steps.take(), "handle gone");
}

#[test]
fn blocking_on_a_current_thread_runtime_works_where_the_handler_does_not_wait() {
    let bus = bus();
    current_thread().block_on(async {
        assert_eq!(bus.execute_blocking(Act::Answer(1)), Ok(1));
        assert!(bus.execute_blocking(Act::Panic).unwrap_err().is_panicked());
    });
}

/// The limitations mention this case, because tokio does not tell these threads apart.
#[test]
fn blocking_in_spawn_blocking_of_a_current_thread_runtime_is_refused() {
    let bus = bus();
    current_thread().block_on(async {
        let blocking = tokio::task::spawn_blocking(move || bus.execute_blocking(Later));
        assert_refused::<Later>(blocking.await.expect("no panic"));
    });
}

#[test]
fn blocking_from_a_plain_thread_works() {
    let bus = bus();
    assert_eq!(bus.execute_blocking(Later), Ok(7));
    let runtime = current_thread();
    let plain = thread::spawn(move || bus.execute_blocking(Later));
    assert_eq!(plain.join().expect("no panic"), Ok(7));
    drop(runtime);
}

#[test]
fn blocking_on_a_multi_thread_runtime_works() {
    let (bus, runtime) = (bus(), multi_thread());
    let (worker, blocking) = (bus.clone(), bus.clone());
    runtime.block_on(async move {
        assert_eq!(bus.execute_blocking(Later), Ok(7), "the thread of block_on");
        let task = tokio::spawn(async move { worker.execute_blocking(Later) });
        assert_eq!(task.await.expect("no panic"), Ok(7), "a worker");
        let task = tokio::task::spawn_blocking(move || blocking.execute_blocking(Later));
        assert_eq!(task.await.expect("no panic"), Ok(7), "a blocking thread");
    });
}

/// Builds a bus whose handler waits for the runtime itself: for a task that must run there, and for
/// its turn.
fn waits_for_the_runtime() -> CommandBus {
    CommandBus::builder()
        .register(from_async_fn(async |_: Later, _: &Context<'_>| {
            tokio::task::yield_now().await;
            tokio::spawn(async { 9 })
                .await
                .map_err(|error| error.to_string())
        }))
        .build()
        .expect("one name")
}

/// Returns a context with a limit, in case the handler waits for a worker that it blocks.
fn limited() -> Context<'static> {
    Context::new().timeout(Duration::from_secs(20))
}

#[test]
fn blocking_the_only_worker_hands_its_tasks_to_another_thread() {
    let bus = waits_for_the_runtime();
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .build()
        .expect("a runtime");
    let task = runtime.spawn(async move { bus.execute_blocking_with(Later, limited()) });
    assert_eq!(runtime.block_on(task).expect("no panic"), Ok(9));
}

#[test]
fn blocking_in_a_local_set_is_refused() {
    let bus = waits_for_the_runtime();
    let local = tokio::task::LocalSet::new();
    let outcome = local.block_on(&multi_thread(), async move {
        bus.execute_blocking_with(Later, limited())
    });
    assert_eq!(
        outcome.unwrap_err().to_string(),
        "would deadlock: the handler waits, and execute_blocking would park the thread of a tokio \
         `LocalSet`: await `execute` instead, or dispatch from `spawn_blocking`"
    );
}

#[test]
fn a_panic_of_a_middleware_on_a_worker_goes_to_the_caller() {
    struct Late;
    impl Middleware<Later> for Late {
        async fn handle(
            &self,
            msg: Later,
            cx: &Context<'_>,
            next: &impl Next<Later>,
        ) -> Outcome<Later> {
            next.run(msg, cx).await?;
            panic!("late");
        }
    }
    let bus = CommandBus::builder()
        .wrap(Late)
        .register(Laters)
        .build()
        .expect("one name");
    let task = multi_thread()
        .block_on(async move { tokio::spawn(async move { bus.execute_blocking(Later) }).await });
    let panic = task.expect_err("it panics").into_panic();
    assert_eq!(panic.downcast_ref(), Some(&"late"));
}

#[test]
fn awaiting_works_on_every_runtime() {
    for runtime in [current_thread(), multi_thread()] {
        let bus = bus();
        runtime.block_on(async move {
            assert_eq!(bus.execute(Later).await, Ok(7));
            assert_eq!(bus.execute(Act::Answer(1)).await, Ok(1));
            let owned = bus.clone();
            let task = tokio::spawn(async move { owned.execute(Later).await });
            assert_eq!(task.await.expect("no panic"), Ok(7));
            let outcomes = bus.execute_batch(vec![Later; 3]).await;
            assert_eq!(outcomes, [Ok(7), Ok(7), Ok(7)]);
        });
    }
}

#[test]
fn a_deadline_ends_a_wait_on_a_runtime() {
    for runtime in [current_thread(), multi_thread()] {
        let bus = bus();
        let cx = Context::new().timeout(Duration::from_millis(5));
        let outcome = runtime.block_on(bus.execute_with(Act::Wait, cx));
        assert!(outcome.unwrap_err().is_timeout());
    }
}

#[test]
fn a_handler_may_use_the_runtime_of_its_caller() {
    let bus = waits_for_the_runtime();
    for runtime in [current_thread(), multi_thread()] {
        assert_eq!(runtime.block_on(bus.execute(Later)), Ok(9));
    }
}

#[test]
fn many_tasks_share_a_bus() {
    let (bus, runtime) = (bus(), multi_thread());
    let tasks: Vec<_> = (0..64)
        .map(|reply| {
            let bus = bus.clone();
            runtime.spawn(async move {
                bus.execute(Later).await?;
                tokio::task::yield_now().await;
                bus.execute(Act::Answer(reply)).await
            })
        })
        .collect();
    for (reply, task) in (0..).zip(tasks) {
        assert_eq!(runtime.block_on(task).expect("no panic"), Ok(reply));
    }
}
