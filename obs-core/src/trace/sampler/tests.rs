use std::time::Duration;

use crate::clock::ManualClock;
use crate::environment::Environment;
use crate::id::IdGenerator;

use super::*;

fn id(low: u64) -> TraceId {
    TraceId::new((0x6712_3456_u128 << 96) | u128::from(low)).unwrap()
}

fn input(id: TraceId) -> SamplingInput<'static> {
    SamplingInput::new(id, "orders")
}

#[test]
fn the_ratio_reads_random_bits_of_the_id_and_not_its_clock() {
    let half = Sampler::ratio(0.5).unwrap();
    assert!(half.decide(&input(id(0x7fff_ffff_ffff_ffff))).sampled);
    assert!(!half.decide(&input(id(0x8000_0000_0000_0000))).sampled);
    assert!(!Sampler::ratio(0.0).unwrap().decide(&input(id(1))).sampled);
    assert!(Sampler::ratio(1.0).unwrap().decide(&input(id(u64::MAX))).sampled);
    for bad in [-0.1, 1.1, f64::NAN] {
        assert!(Sampler::ratio(bad).is_err());
    }
}

#[test]
fn the_ratio_of_generated_ids_is_met_within_a_few_percent() {
    let (clock, ids) = (ManualClock::default().clock(), IdGenerator::seeded(42));
    let sampler = Sampler::ratio(0.05).unwrap();
    let sampled = (0..20_000).filter(|_| sampler.decide(&input(ids.trace_id(&clock))).sampled);
    let sampled = sampled.count();
    assert!((850..1150).contains(&sampled), "{sampled} of 20000");
}

#[test]
fn the_callers_verdict_stands_and_a_deferred_one_is_ours() {
    let sampler = Sampler::parent_based(Sampler::always_off());
    assert!(sampler.decide(&input(id(1)).parent_sampled(Some(true))).sampled);
    assert!(!sampler.decide(&input(id(1)).parent_sampled(None)).sampled);
    let sampler = Sampler::default();
    assert!(!sampler.decide(&input(id(1)).parent_sampled(Some(false))).sampled);
    assert!(sampler.decide(&input(id(1)).parent_sampled(None)).sampled);
}

#[test]
fn a_rate_limit_admits_its_number_each_second_and_saves_no_more_than_one_second() {
    let manual = ManualClock::default();
    let sampler = Sampler::rate_limited(10, 0.0, manual.clock()).unwrap();
    let burst = || (0..100).filter(|_| sampler.decide(&input(id(1))).sampled).count();
    assert_eq!(burst(), 10);
    manual.advance(Duration::from_millis(500));
    assert_eq!(burst(), 5);
    manual.advance(Duration::from_secs(60));
    assert_eq!(burst(), 10);
}

#[test]
fn the_environment_names_the_sampler() {
    let clock = ManualClock::default().clock();
    let read = |pairs: &[(&str, &str)]| {
        Sampler::from_environment(&pairs.iter().copied().collect::<Environment>(), &clock)
    };
    assert!(read(&[]).unwrap().is_none());
    let ratio =
        [("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"), ("OTEL_TRACES_SAMPLER_ARG", "0")];
    let sampler = read(&ratio).unwrap().unwrap();
    assert!(!sampler.decide(&input(id(1))).sampled);
    assert!(sampler.decide(&input(id(1)).parent_sampled(Some(true))).sampled);
    let error = read(&[("OTEL_TRACES_SAMPLER", "sometimes")]).unwrap_err();
    assert_eq!((error.field(), error.value()), ("OTEL_TRACES_SAMPLER", "sometimes"));
    let error = read(&[("OTEL_TRACES_SAMPLER", "traceidratio"), ("OTEL_TRACES_SAMPLER_ARG", "5%")]);
    assert_eq!(error.unwrap_err().field(), "OTEL_TRACES_SAMPLER_ARG");
}

#[test]
fn only_a_sampler_of_ones_own_reads_requests() {
    #[derive(Debug)]
    struct Checkouts;
    impl Sample for Checkouts {
        fn sample(&self, input: &SamplingInput<'_>) -> Decision {
            Decision::new(input.path == "/checkout")
        }
    }
    let clock = ManualClock::default().clock();
    for sampler in [
        Sampler::default(),
        Sampler::always_off(),
        Sampler::ratio(0.5).unwrap(),
        Sampler::rate_limited(1, 0.5, clock).unwrap(),
    ] {
        assert!(!sampler.reads_requests(), "{sampler:?}");
    }
    assert!(Sampler::custom(Checkouts).reads_requests());
    assert!(Sampler::parent_based(Sampler::custom(Checkouts)).reads_requests());
}
