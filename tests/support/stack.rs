//! Measures the stack of a piece of work, by the deepest byte that it changes.
#![allow(unsafe_code, reason = "the stack below a function has no owner")]

use std::hint::black_box;
use std::thread;

/// Painted part of the stack: more than any work here takes. A thread touches only the painted
/// pages.
const PAINTED: usize = 24 << 20;
/// Bytes of stack left for the painting function itself.
const SPARE: usize = 64 << 10;
const PAINT: u64 = 0x0070_6169_6e74_6564;

/// Returns the bytes of stack that `work` takes, to some hundred, by how far down it changes the
/// painted bytes.
///
/// A large frame is probed at each page on its way down, so that its unwritten parts are counted,
/// too.
pub(crate) fn stack_of(work: impl FnOnce() + Send + 'static) -> usize {
    let measure = move || {
        let mark = black_box(0_u64);
        let top = (&raw const mark).expose_provenance();
        let (low, high) = ((top - PAINTED) & !7, (top - SPARE) & !7);
        paint(low, high);
        work();
        top - lowest_change(low, high)
    };
    let thread = thread::Builder::new().stack_size(PAINTED + (1 << 20));
    let thread = thread.spawn(measure).expect("a thread");
    thread.join().expect("the work does not panic")
}

#[inline(never)]
fn paint(low: usize, high: usize) {
    for address in (low..high).step_by(size_of::<u64>()) {
        // SAFETY: the address is on this thread's stack, more than `SPARE` below every frame in
        // use.
        unsafe { std::ptr::with_exposed_provenance_mut::<u64>(address).write_volatile(PAINT) };
    }
}

#[inline(never)]
fn lowest_change(low: usize, high: usize) -> usize {
    // SAFETY: the address is on this thread's stack, below every frame in use, and was painted.
    let changed = |address: &usize| unsafe {
        std::ptr::with_exposed_provenance::<u64>(*address).read_volatile() != PAINT
    };
    (low..high)
        .step_by(size_of::<u64>())
        .find(changed)
        .unwrap_or(high)
}
