//! Functions that drive a dispatch by hand, and a watchdog.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::task::{Context as Task, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

/// A waker that counts its wake-ups.
#[derive(Default)]
pub(crate) struct Wakes(AtomicUsize);

impl Wakes {
    pub(crate) fn new() -> (Arc<Self>, Waker) {
        let wakes = Arc::new(Self::default());
        (Arc::clone(&wakes), Waker::from(wakes))
    }

    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Polls a self-waking `future` to its end, and returns its output and the number of polls. Fails
/// if the future is pending without having woken its task.
pub(crate) fn drive<T>(future: impl Future<Output = T>) -> (T, usize) {
    let mut future = pin!(future);
    let (wakes, waker) = Wakes::new();
    let mut task = Task::from_waker(&waker);
    for polls in 1.. {
        let woken = wakes.count();
        if let Poll::Ready(output) = future.as_mut().poll(&mut task) {
            return (output, polls);
        }
        assert!(wakes.count() > woken, "nobody would poll it again");
    }
    unreachable!("it ends or fails")
}

/// Stays pending for `turns` polls, and wakes the task each time.
pub(crate) async fn turns(mut turns: u32) {
    std::future::poll_fn(|task| {
        if turns == 0 {
            return Poll::Ready(());
        }
        turns -= 1;
        task.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Returns the text of the panic in which `work` ends.
pub(crate) fn panic_of<T>(work: impl FnOnce() -> T) -> String {
    let Err(payload) = catch_unwind(AssertUnwindSafe(work)) else {
        panic!("it did not panic");
    };
    payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .expect("a text")
}

/// Runs `work` in its own thread, and fails if the thread does not end.
pub(crate) fn watched<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, ended) = mpsc::channel::<()>();
    let thread = thread::spawn(move || {
        // Closed when the work is done, and also when the work panics.
        let _done = done;
        work()
    });
    let end = ended.recv_timeout(Duration::from_secs(60));
    assert_eq!(end, Err(mpsc::RecvTimeoutError::Disconnected), "it hangs");
    thread.join().expect("no panic")
}
