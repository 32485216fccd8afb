//! `loom`'s locks and condition variable in the shape of `parking_lot`'s.

use std::ops::{Deref, DerefMut};
use std::time::Duration;

use loom::sync as model;

#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(model::Mutex<T>);

/// Empty only while a [`Condvar`] waits with it.
pub(crate) struct MutexGuard<'a, T>(Option<model::MutexGuard<'a, T>>);

#[derive(Debug)]
pub(crate) struct Condvar(model::Condvar);

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(model::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        MutexGuard(Some(
            self.0.lock().expect("a model ends with its first panic"),
        ))
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

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0.as_ref().expect("not waiting")
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.0.as_mut().expect("not waiting")
    }
}

impl Condvar {
    pub(crate) fn new() -> Self {
        Self(model::Condvar::new())
    }

    pub(crate) fn wait<T>(&self, guard: &mut MutexGuard<'_, T>) {
        let held = guard.0.take().expect("not waiting");
        let held = self
            .0
            .wait(held)
            .expect("a model ends with its first panic");
        guard.0 = Some(held);
    }

    /// Time does not pass in a model: this waits until it is told.
    pub(crate) fn wait_for<T>(&self, guard: &mut MutexGuard<'_, T>, _: Duration) {
        self.wait(guard);
    }

    pub(crate) fn notify_one(&self) {
        self.0.notify_one();
    }

    pub(crate) fn notify_all(&self) {
        self.0.notify_all();
    }
}

impl Default for Condvar {
    fn default() -> Self {
        Self::new()
    }
}
