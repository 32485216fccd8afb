//! A backend's bad day in virtual time.
use std::process::ExitCode;

pub(crate) mod backend;
pub(crate) mod executor;
pub(crate) mod naive;
pub(crate) mod random;
pub(crate) mod record;
pub(crate) mod scenario;
pub(crate) mod timeline;
pub(crate) mod world;

fn main() -> ExitCode {
    for scenario in scenario::SCENARIOS {
        let t = std::time::Instant::now();
        let record = world::run(scenario, 1).unwrap();
        println!("== {} {:?}", scenario.name, t.elapsed());
        for phase in scenario.timeline.phases {
            let span = scenario.timeline.span(phase.name);
            println!("{:10} offered {} good {:.1}% amp {:.2} p50 {:.0} p99 {:.0}", phase.name, record.offered(span),
              100.0 * record.replies(span)/record.offered(span), record.calls_made(span)/record.offered(span),
              1e3*record.latency(span,0.5), 1e3*record.latency(span,0.99));
        }
    }
    ExitCode::SUCCESS
}
