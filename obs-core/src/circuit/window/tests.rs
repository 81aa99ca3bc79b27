use std::collections::VecDeque;
use std::time::Duration;

use proptest::prelude::*;

use super::*;

fn totals(samples: impl IntoIterator<Item = Sample>) -> Totals {
    samples.into_iter().fold(Totals::default(), |sum, sample| Totals {
        calls: sum.calls + 1,
        failures: sum.failures + u32::from(sample.failed),
        slow: sum.slow + u32::from(sample.slow),
    })
}

proptest! {
    #[test]
    fn a_count_window_holds_exactly_the_newest_calls(
        size in 1_u32..40,
        calls in prop::collection::vec((any::<bool>(), any::<bool>()), 0..200),
    ) {
        let window = Window::new(SlidingWindow::Count(size));
        let mut newest = VecDeque::new();
        for (failed, slow) in calls {
            let sample = Sample { failed, slow };
            newest.push_back(sample);
            if newest.len() > size as usize {
                newest.pop_front();
            }
            window.record(Instant::default(), 0, sample);
            prop_assert_eq!(window.totals(Instant::default()), totals(newest.clone()));
        }
        window.clear();
        prop_assert_eq!(window.totals(Instant::default()), Totals::default());
    }

    /// Between what is surely young enough and what is surely too old, either is right.
    #[test]
    fn a_time_window_never_holds_what_is_older_than_its_length(
        length_ms in 10_u64..5_000,
        calls in prop::collection::vec((0_u64..800, 0_u8..4, any::<bool>(), any::<bool>()), 1..120),
    ) {
        let length = Duration::from_millis(length_ms);
        let window = Window::new(SlidingWindow::Time(length));
        let mut now = Instant::from_nanos(7_777_777_777);
        let mut recorded: Vec<(Instant, Sample)> = Vec::new();
        for (wait_ms, shard, failed, slow) in calls {
            now = now + Duration::from_millis(wait_ms);
            recorded.push((now, Sample { failed, slow }));
            window.record(now, shard, Sample { failed, slow });
            let held = window.totals(now);
            let within = |age: Duration| {
                totals(recorded.iter().filter(|(at, _)| now - *at < age).map(|(_, s)| *s))
            };
            let (surely, possibly) = (within(length * 14 / 16), within(length));
            for (least, is, most) in [
                (surely.calls, held.calls, possibly.calls),
                (surely.failures, held.failures, possibly.failures),
                (surely.slow, held.slow, possibly.slow),
            ] {
                prop_assert!(least <= is && is <= most, "{least} <= {is} <= {most}");
            }
        }
        prop_assert_eq!(window.totals(now + length), Totals::default());
    }
}
