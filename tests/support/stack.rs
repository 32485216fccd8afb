//! How much stack a piece of work takes, by the mark that it leaves.
#![allow(unsafe_code, reason = "the stack below a function has no owner")]

use std::hint::black_box;
use std::thread;

/// More than any work here takes, of which a thread touches what is painted.
const PAINTED: usize = 24 << 20;
/// What the painter itself may stand on.
const SPARE: usize = 64 << 10;
const PAINT: u64 = 0x0070_6169_6e74_6564;

/// The bytes of stack that `work` takes, to some hundred: how far down it changes what was painted there.
///
/// A large frame is touched at each page on its way down, so that what it leaves unwritten is seen, too.
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
        // SAFETY: on this thread's stack, more than `SPARE` below every frame that is in use.
        unsafe { std::ptr::with_exposed_provenance_mut::<u64>(address).write_volatile(PAINT) };
    }
}

#[inline(never)]
fn lowest_change(low: usize, high: usize) -> usize {
    // SAFETY: as above; it was painted.
    let changed = |address: &usize| unsafe {
        std::ptr::with_exposed_provenance::<u64>(*address).read_volatile() != PAINT
    };
    (low..high)
        .step_by(size_of::<u64>())
        .find(changed)
        .unwrap_or(high)
}
