//! [`reach`]: for tests that compare a packed word with a plain model over every transition.

use std::collections::HashSet;
use std::hash::Hash;

/// Takes every step from each state that `starts` lead to, up to `depth` steps away. Returns how many states
/// there are, and whether none is farther away.
pub(crate) fn reach<S: Clone + Eq + Hash>(
    starts: Vec<S>,
    depth: usize,
    steps: impl Fn(&S) -> Vec<S>,
) -> (usize, bool) {
    let mut seen: HashSet<S> = starts.iter().cloned().collect();
    let mut edge = starts;
    for _ in 0..depth {
        let next = edge.iter().flat_map(&steps);
        edge = next.filter(|state| seen.insert(state.clone())).collect();
    }
    (seen.len(), edge.is_empty())
}

#[test]
fn every_state_is_reached_once() {
    let steps = |state: &u32| vec![(state + 1) % 5, (state + 2) % 5];
    assert_eq!(reach(vec![0], 10, steps), (5, true));
    assert_eq!(reach(vec![0], 1, steps), (3, false));
}
