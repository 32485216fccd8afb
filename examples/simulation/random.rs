//! A random generator that repeats its numbers for an equal seed.

use std::f64::consts::TAU;
use std::time::Duration;

/// The generator SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators",
/// 2014).
#[derive(Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Returns a number from 0 up to, but not including, 1.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Returns the time until the next of independent events, which occur at `rate` a second.
    pub(crate) fn gap(&mut self, rate: f64) -> Duration {
        Duration::from_secs_f64(-(1.0 - self.unit()).ln() / rate)
    }

    /// Returns a log-normal time with this mean, where `spread` is the standard deviation of its
    /// logarithm.
    pub(crate) fn log_normal(&mut self, mean: f64, spread: f64) -> Duration {
        let exponent = spread * self.normal() - spread * spread / 2.0;
        Duration::from_secs_f64(mean * exponent.exp())
    }

    /// Returns a key below `keys`, by a power law that prefers the low keys.
    pub(crate) fn key(&mut self, keys: u32) -> u32 {
        (f64::from(keys) * self.unit().powi(4)) as u32
    }

    /// Returns a normally distributed number, by the transform of Box and Muller.
    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (TAU * self.unit()).cos()
    }
}
