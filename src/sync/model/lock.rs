//! The locks and the condition variable of `loom`, with the interface of the real ones.

use std::time::Duration;

use loom::sync as model;

#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(model::Mutex<T>);

pub(crate) use loom::sync::MutexGuard;

#[derive(Debug)]
pub(crate) struct Condvar(model::Condvar);

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(model::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().expect("a model ends with its first panic")
    }

    pub(crate) fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        self.0.try_lock().ok()
    }
}

#[derive(Debug)]
pub(crate) struct RwLock<T>(model::RwLock<T>);

impl<T> RwLock<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(model::RwLock::new(value))
    }

    pub(crate) fn read(&self) -> model::RwLockReadGuard<'_, T> {
        self.0.read().expect("a model ends with its first panic")
    }

    pub(crate) fn write(&self) -> model::RwLockWriteGuard<'_, T> {
        self.0.write().expect("a model ends with its first panic")
    }
}

impl Condvar {
    pub(crate) fn new() -> Self {
        Self(model::Condvar::new())
    }

    pub(crate) fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        let waited = self.0.wait(guard);
        waited.expect("a model ends with its first panic")
    }

    /// Waits until notified, without a limit, because time does not pass in a model.
    pub(crate) fn wait_for<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        _: Duration,
    ) -> (MutexGuard<'a, T>, Told) {
        (self.wait(guard), Told)
    }

    pub(crate) fn notify_one(&self) {
        self.0.notify_one();
    }

    pub(crate) fn notify_all(&self) {
        self.0.notify_all();
    }
}

/// The result of a wait with a limit, which in a model always ends by a notification.
pub(crate) struct Told;

impl Told {
    pub(crate) fn timed_out(&self) -> bool {
        false
    }
}

impl Default for Condvar {
    fn default() -> Self {
        Self::new()
    }
}
