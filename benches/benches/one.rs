//! One job by itself, without a counting allocator, to be looked at from outside: under callgrind,
//! perf or a profiler.
//!
//! ```text
//! cargo bench --package obs-benches --bench one -- JOB TIMES     runs a job so often
//! cargo bench --package obs-benches --bench one -- --jobs        all jobs, as JSON
//! cargo bench --package obs-benches --bench one -- --growth      what can be run as something grows
//! cargo bench --package obs-benches --bench one -- --time NAME   how long one of these takes, in ns
//! ```

use std::process::ExitCode;

use obs_benches::{growth, jobs, report, stopwatch};

#[allow(clippy::print_stdout, reason = "what was asked for")]
fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        // As in a plain `cargo bench`.
        [] => return ExitCode::SUCCESS,
        ["--jobs"] => {
            println!("{}", report::described(&jobs::all()));
            return ExitCode::SUCCESS;
        }
        ["--growth"] => {
            growth::Name::all().iter().for_each(|name| println!("{name}"));
            return ExitCode::SUCCESS;
        }
        ["--time", name] => {
            if let Some((mut run, point)) = growth::Name::start(name) {
                println!("{:.1}", stopwatch::median_nanos(&mut run, point));
                return ExitCode::SUCCESS;
            }
        }
        [name, times] => {
            if let Ok(times) = times.parse()
                && let Some(mut run) = start(name)
            {
                run(times);
                return ExitCode::SUCCESS;
            }
        }
        _ => {}
    }
    ExitCode::from(2)
}

fn start(name: &str) -> Option<obs_benches::job::Running> {
    let job = jobs::all().into_iter().find(|job| job.name == name);
    job.map(|job| job.start()).or_else(|| Some(growth::Name::start(name)?.0))
}
