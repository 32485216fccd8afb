//! What the backend goes through, and how much is asked of it.

use std::time::Duration;

/// How the backend is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Health {
    Works(Pace),
    /// It has crashed: what it had taken in fails, and so does each new call, at once.
    Fails,
    /// It takes calls in until its queue is full, and begins none.
    Hangs,
}

/// How it works.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Pace {
    /// How many times as long as usual a call takes.
    pub(crate) slower: f64,
    /// The share of calls that take [`STUMBLE`] times as long as others.
    pub(crate) stumbles: f64,
    /// The share of calls that fail at once.
    pub(crate) fails: f64,
}

/// How many times as long a call takes that stumbles: one that meets a pause, a lost packet, a cold page.
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

/// From when on the backend is how.
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

/// A course of events.
#[derive(Debug)]
pub(crate) struct Timeline {
    pub(crate) phases: &'static [Phase],
    /// When the last message arrives.
    pub(crate) end: Duration,
    /// Messages a second.
    pub(crate) rate: f64,
}

/// Well, slow, down, hanging, well: at 70 % of what the backend can do when it is well. Slow, it can do
/// 57 % of what is asked.
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

/// One call in fifty takes twenty times as long: at half of what the backend can do otherwise.
pub(crate) static LONG_TAIL: Timeline = Timeline {
    phases: &[phase("well", 0, WELL), phase("stumbling", 3, STUMBLING)],
    end: Duration::from_secs(15),
    rate: 1000.0,
};

/// One call in 33 fails: at half of what the backend can do.
pub(crate) static HICCUPS: Timeline = Timeline {
    phases: &[phase("well", 0, WELL), phase("flaky", 3, FLAKY)],
    end: Duration::from_secs(15),
    rate: 1000.0,
};

impl Timeline {
    /// From when to when the phase `name` lasts.
    ///
    /// # Panics
    ///
    /// If there is no such phase.
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

/// A part of a timeline: the end is not in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) from: Duration,
    pub(crate) until: Duration,
}

impl Span {
    /// From the begin of this one to the end of `last`.
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
