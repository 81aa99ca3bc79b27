//! `shop load run`: customers who all come at once, the same ones for the same seed.

mod scenario;
mod stats;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use obs_core::clock::Clock;
use obs_core::random::Random;
use serde_json::json;
use tokio::task::JoinSet;

use self::stats::Stats;
use crate::args::LoadPlan;
use crate::client::Client;
use crate::finding::{Finding, Found};
use crate::run_file::url;

/// How often progress is told.
const PROGRESS: Duration = Duration::from_secs(1);

pub(crate) async fn run(data: &Path, plan: &LoadPlan) -> Found {
    let gateway = Client::new(&url(data, "gateway")?);
    let clock = Clock::system();
    let end = clock.now() + plan.duration;
    let done = Arc::new(AtomicU64::new(0));
    let mut customers = JoinSet::new();
    for vu in 0..plan.vus {
        let (gateway, done, clock) = (gateway.clone(), Arc::clone(&done), clock.clone());
        let (scenario, seed) = (plan.scenario, plan.seed);
        customers.spawn(async move {
            let random = Random::seeded(seed.wrapping_mul(1_000_003).wrapping_add(vu.into()));
            let mut stats = Stats::default();
            let mut journey = 0;
            while clock.now() < end {
                let customer = scenario::Customer { vu, journey, seed, random: &random };
                scenario.journey(&gateway, &customer, &clock, &mut stats).await;
                journey += 1;
                done.fetch_add(1, Ordering::Relaxed);
            }
            stats
        });
    }
    let mut stats = Stats::default();
    let mut ticks = tokio::time::interval(PROGRESS);
    loop {
        tokio::select! {
            finished = customers.join_next() => match finished {
                Some(Ok(of_one)) => stats.merge(of_one),
                Some(Err(error)) => return Err(error.into()),
                None => break,
            },
            _ = ticks.tick() => {
                let left = (end - clock.now()).as_secs();
                eprintln!("shop: {} journeys, {left} s left", done.load(Ordering::Relaxed));
            }
        }
    }
    let judged = stats.judge();
    let good = !plan.thresholds || judged.iter().all(|threshold| threshold.holds);
    let text = stats.table() + &stats::thresholds(&judged);
    let json = json!({
        "scenario": plan.scenario.as_str(),
        "seed": plan.seed,
        "vus": plan.vus,
        "duration_s": plan.duration.as_secs_f64(),
        "journeys": done.load(Ordering::Relaxed),
        "requests": stats.json(),
        "thresholds": judged,
    });
    Ok(Finding { good, json, text })
}
