//! `cargo bench --package obs-benches --bench one -- JOB TIMES` runs one job by itself, without a
//! counting allocator, to be looked at from outside: under callgrind, perf or a profiler. With
//! `--list` it prints the jobs whose instructions can be counted, each with what it is compared with.

use std::process::ExitCode;

use obs_benches::jobs;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let jobs = jobs::all();
    if let [name, times] = arguments.as_slice()
        && let Some(job) = jobs.iter().find(|job| job.name == name)
        && let Ok(times) = times.parse()
    {
        job.start()(times);
        return ExitCode::SUCCESS;
    }
    if arguments == ["--list"] {
        for job in jobs.iter().filter(|job| job.is_steady) {
            #[allow(clippy::print_stdout, reason = "the list is what was asked for")]
            {
                println!("{}\t{}", job.name, job.baseline.unwrap_or_default());
            }
        }
        return ExitCode::SUCCESS;
    }
    // Without arguments, as in a plain `cargo bench`, there is nothing to do.
    if arguments.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(2) }
}
