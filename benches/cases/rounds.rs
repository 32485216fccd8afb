//! Cases that take turns, round after round, so that a slower machine slows all of them.

use std::hint::black_box;
use std::time::{Duration, Instant};

const ROUNDS: usize = 60;
/// Number of calls of a case in each round.
pub const CALLS: u64 = 50_000;

/// A case of a benchmark, with a name and a function that makes a given number of calls.
pub struct Case<'a> {
    pub name: &'static str,
    run: Box<dyn FnMut(u64) + 'a>,
    /// Nanoseconds of a call, one value for each round.
    times: Vec<f64>,
}

impl Case<'_> {
    /// Returns the time of `calls` calls of this case.
    pub fn time(&mut self, calls: u64) -> Duration {
        let start = Instant::now();
        (self.run)(calls);
        start.elapsed()
    }
}

#[derive(Default)]
pub struct Cases<'a>(pub Vec<Case<'a>>);

impl<'a> Cases<'a> {
    /// Adds a case from a function that makes a single call.
    pub fn add<T>(&mut self, name: &'static str, mut call: impl FnMut() -> T + 'a) {
        self.add_run(name, move |calls| {
            for _ in 0..calls {
                black_box(call());
            }
        });
    }

    /// Adds a case from a function `run` that makes the given number of calls.
    pub fn add_run(&mut self, name: &'static str, run: impl FnMut(u64) + 'a) {
        self.0.push(Case {
            name,
            run: Box::new(run),
            times: Vec::with_capacity(ROUNDS),
        });
    }

    /// Times all cases in turns, and prints the least time of a call of each case.
    pub fn measure(&mut self) {
        for _ in 0..ROUNDS {
            for case in &mut self.0 {
                let nanos = case.time(CALLS).as_nanos() as f64;
                case.times.push(nanos / CALLS as f64);
            }
        }
        println!("{:42} {:>6}", "ns a call", "least");
        for case in &self.0 {
            println!("{:42} {:6.2}", case.name, self.least(case.name));
        }
        println!("\n{:42} {:>6} {:>6}   required", "", "median", "least");
    }

    /// Prints the result of `of` for the times of the cases `names`. The first figure is the median
    /// over the rounds. The second uses the least times, which a machine without neighbours would
    /// show.
    pub fn print<const N: usize>(
        &self,
        title: &str,
        names: [&str; N],
        asked: &str,
        of: impl Fn([f64; N]) -> f64,
    ) {
        let median = self.median(names, &of);
        let least = of(names.map(|name| self.least(name)));
        println!("{title:42} {median:6.2} {least:6.2}   {asked}");
    }

    pub fn print_ratio(&self, a: &str, b: &str, asked: &str) {
        self.print(&format!("{a} / {b}"), [a, b], asked, |[a, b]| a / b);
    }

    fn median<const N: usize>(&self, names: [&str; N], of: impl Fn([f64; N]) -> f64) -> f64 {
        let times = names.map(|name| self.times(name));
        let round = |nth: usize| of(times.map(|times| times[nth]));
        let mut all: Vec<_> = (0..ROUNDS).map(round).collect();
        all.sort_by(f64::total_cmp);
        all[ROUNDS / 2]
    }

    fn least(&self, name: &str) -> f64 {
        self.times(name).iter().copied().fold(f64::MAX, f64::min)
    }

    fn times(&self, name: &str) -> &[f64] {
        let case = self.0.iter().find(|case| case.name == name);
        &case.expect("a case of this benchmark").times
    }
}
