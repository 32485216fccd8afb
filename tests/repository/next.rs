//! Prints the checks that `cargo test` leaves to other commands.

/// The checks that `.ci/run` and `.ci/full` add.
const NEXT: &str = "
This was every test with the default features. `.ci/run` adds what a change must pass, too: the tests
with each feature, the models of all that is lock-free (loom), the SQLite store, lints, documentation,
the examples, and the instructions that a dispatch takes. `.ci/full` adds what takes hours: models
without a bound and on each weakened ordering, stress, sanitizers, planted faults.
";

fn main() {
    println!("{}", NEXT.trim());
}
