//! Tries a leased limit on traffic before it is deployed:
//! `cargo run -p obs-aws-ratelimit --example fleet`.

use std::time::Duration;

use obs_ratelimit::sim::{Fault, Fleet, Load};
use obs_ratelimit::{Bound, LeaseConfig, OnStoreFailure, Quota};

#[allow(clippy::print_stdout, reason = "it is a program for a person to read")]
fn main() -> Result<(), obs_core::config::ConfigError> {
    let quota = Quota::per_second(1_000);
    let config = LeaseConfig::new();
    println!("{}\n", Bound::of(quota, &config)?);
    let run = Duration::from_secs(30);
    for (name, load) in [
        ("even, 800/s", Load::Even { per_second: 800.0 }),
        ("even, 2,000/s", Load::Even { per_second: 2_000.0 }),
        ("zipf, 2,000/s", Load::Zipf { per_second: 2_000.0 }),
        ("hopping, 2,000/s", Load::Hopping { per_second: 2_000.0 }),
        ("bursts, 5,000/s", Load::Bursts { per_second: 5_000.0 }),
    ] {
        let report = Fleet::new(quota, config).load(load).run_for(run, 7)?;
        println!("{name:18} {report}");
    }
    let window = Quota::fixed_window(5_000, Duration::from_secs(5));
    let report = Fleet::new(window, config).load(Load::Even { per_second: 2_000.0 });
    println!("{:18} {}", "window, 2,000/s", report.run_for(run, 7)?);
    let hot = Fleet::new(Quota::per_second(10_000), config).nodes(20);
    let report = hot.load(Load::Even { per_second: 10_000.0 }).run_for(run, 7)?;
    println!("{:18} {report}", "hot, 10,000/s");

    let fault = Fault::Outage { from: Duration::from_secs(5), until: Duration::from_secs(15) };
    for action in [OnStoreFailure::Open, OnStoreFailure::ShareLocal, OnStoreFailure::Closed] {
        let fleet = Fleet::new(quota, config.on_store_failure(action)).fault(fault);
        let report = fleet.load(Load::Even { per_second: 2_000.0 }).run_for(run, 7)?;
        println!("outage, {:10} {report}", format!("{action:?}"));
    }
    Ok(())
}
