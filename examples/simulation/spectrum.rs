//! The spectrum of the calls, which shows whether they come in waves.

use std::f64::consts::TAU;

use super::backend::CALLS_BIN;

/// Number of neighbours over which each power is averaged. A single power of pure noise varies by
/// as much as its own height.
const SMOOTH: usize = 5;
/// Number of bins over which the trend is averaged before it is subtracted, which is half a second.
const TREND: usize = 51;

/// Returns the power of `calls` (counts in bins of [`CALLS_BIN`]) at each frequency in hertz.
///
/// The unit is the power of noise: independent calls, at any rate, have power 1 at every frequency.
/// This is the periodogram of Bartlett, "The spectral analysis of point processes", 1963.
pub(crate) fn spectrum(calls: &[u32]) -> Vec<(f64, f64)> {
    let deviations = detrended(calls);
    let noise: f64 = calls.iter().map(|calls| f64::from(*calls)).sum();
    let powers: Vec<_> = (1..=calls.len() / 2)
        .map(|cycles| power(&deviations, cycles) / noise)
        .collect();
    let length = calls.len() as f64 * CALLS_BIN.as_secs_f64();
    let smooth = powers.windows(SMOOTH).enumerate().map(|(at, near)| {
        let middle = (at + 1 + SMOOTH / 2) as f64;
        (middle / length, near.iter().sum::<f64>() / SMOOTH as f64)
    });
    smooth.collect()
}

/// Returns the highest power at `lowest` hertz or above.
pub(crate) fn highest(spectrum: &[(f64, f64)], lowest: f64) -> f64 {
    let high = spectrum
        .iter()
        .filter(|(frequency, _)| *frequency >= lowest);
    high.fold(0.0, |highest, (_, power)| power.max(highest))
}

fn detrended(calls: &[u32]) -> Vec<f64> {
    let mean = |near: &[u32]| near.iter().sum::<u32>() as f64 / near.len() as f64;
    let deviation = |(at, calls_here): (usize, &u32)| {
        let from = at.saturating_sub(TREND / 2);
        let until = calls.len().min(at + TREND / 2 + 1);
        f64::from(*calls_here) - mean(&calls[from..until])
    };
    calls.iter().enumerate().map(deviation).collect()
}

fn power(deviations: &[f64], cycles: usize) -> f64 {
    let step = TAU * cycles as f64 / deviations.len() as f64;
    let (mut cosines, mut sines) = (0.0, 0.0);
    for (at, deviation) in deviations.iter().enumerate() {
        let (sine, cosine) = (step * at as f64).sin_cos();
        cosines += deviation * cosine;
        sines += deviation * sine;
    }
    cosines * cosines + sines * sines
}
