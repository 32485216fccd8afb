//! Timelines: the phases of the backend's health, and the load on the backend.

use std::time::Duration;

/// The health of the backend, during one phase.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Health {
    Works(Pace),
    /// The backend has crashed: all accepted calls fail, and so does each new call, at once.
    Fails,
    /// The backend accepts calls until its queue is full, and begins none of them.
    Hangs,
}

/// The pace at which the backend works, unless it fails or hangs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Pace {
    /// The factor by which a call takes longer than usual.
    pub(crate) slower: f64,
    /// The share of calls that take [`STUMBLE`] times as long as others.
    pub(crate) stumbles: f64,
    /// The share of calls that fail at once.
    pub(crate) fails: f64,
}

/// Factor by which a call takes longer that meets a pause, a lost packet or a cold page.
pub(crate) const STUMBLE: f64 = 20.0;

const USUAL: Pace = Pace {
    slower: 1.0,
    stumbles: 0.0,
    fails: 0.0,
};
const WELL: Health = Health::Works(USUAL);
const SLOW: Health = Health::Works(Pace {
    slower: 2.5,
    ..USUAL
});
const STUMBLING: Health = Health::Works(Pace {
    stumbles: 0.02,
    ..USUAL
});
const FLAKY: Health = Health::Works(Pace {
    fails: 0.03,
    ..USUAL
});

/// A phase of a timeline, with its start and the health of the backend.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Phase {
    pub(crate) name: &'static str,
    pub(crate) from: Duration,
    pub(crate) health: Health,
}

const fn phase(name: &'static str, from: u64, health: Health) -> Phase {
    let from = Duration::from_secs(from);
    Phase { name, from, health }
}

/// A course of phases, under a constant load.
#[derive(Debug)]
pub(crate) struct Timeline {
    pub(crate) phases: &'static [Phase],
    /// The time at which the last message arrives, counted from the start of the run.
    pub(crate) end: Duration,
    /// Number of messages a second.
    pub(crate) rate: f64,
}

/// The backend is well, slow, down, hanging, and well again, under 70 % of its healthy capacity.
/// While it is slow, it can serve 57 % of the load.
pub(crate) static BAD_DAY: Timeline = Timeline {
    phases: &[
        phase("well", 0, WELL),
        phase("slow", 5, SLOW),
        phase("down", 10, Health::Fails),
        phase("hangs", 14, Health::Hangs),
        phase("recovered", 15, WELL),
    ],
    end: Duration::from_secs(25),
    rate: 1400.0,
};

/// A day on which one call in fifty takes twenty times as long, under half of the backend's normal
/// capacity.
pub(crate) static LONG_TAIL: Timeline = Timeline {
    phases: &[phase("well", 0, WELL), phase("stumbling", 3, STUMBLING)],
    end: Duration::from_secs(15),
    rate: 1000.0,
};

/// A day on which one call in 33 fails, under half of the backend's capacity.
pub(crate) static HICCUPS: Timeline = Timeline {
    phases: &[phase("well", 0, WELL), phase("flaky", 3, FLAKY)],
    end: Duration::from_secs(15),
    rate: 1000.0,
};

impl Timeline {
    /// Returns the span of the phase `name`, up to the start of the next phase.
    ///
    /// # Panics
    ///
    /// Panics with the name of the phase if there is no such phase.
    pub(crate) fn span(&self, name: &str) -> Span {
        let at = self.phases.iter().position(|phase| phase.name == name);
        let at = at.unwrap_or_else(|| panic!("there is no phase '{name}'"));
        let until = self.phases.get(at + 1);
        Span {
            from: self.phases[at].from,
            until: until.map_or(self.end, |next| next.from),
        }
    }
}

/// A part of a timeline, which excludes its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) from: Duration,
    pub(crate) until: Duration,
}

impl Span {
    /// Returns the span from the beginning of this one to the end of `last`.
    pub(crate) fn to(self, last: Span) -> Span {
        Span {
            until: last.until,
            ..self
        }
    }

    pub(crate) fn seconds(self) -> f64 {
        (self.until - self.from).as_secs_f64()
    }
}
