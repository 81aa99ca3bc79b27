//! The contract of [`Stream`]. The stream is called `s` and has two shards.

use std::time::Duration;

use futures_util::future::join;

use super::time::Passing;
use crate::port::messaging::{
    Appended, Lag, MAX_RECORD_BYTES, MAX_RECORDS, MessagingErrorKind, Position, Record, Stream,
};

async fn put(stream: &dyn Stream, key: &str, data: &str) -> Appended {
    stream.put(key, data.as_bytes()).await.expect("put")
}

async fn read(stream: &dyn Stream, shard: &str, position: Position) -> Vec<Record> {
    stream.read(shard, position, 10, Duration::ZERO).await.expect("read")
}

fn data(records: &[Record]) -> Vec<&str> {
    records.iter().map(|record| std::str::from_utf8(&record.data).expect("text")).collect()
}

/// Records of a key stay together in order, and keys are spread over the shards.
pub async fn a_key_keeps_its_order_in_one_shard(stream: &dyn Stream) {
    let mut used = Vec::new();
    for number in 0..16 {
        let key = format!("order-{number}");
        let first = put(stream, &key, &format!("{key} first")).await;
        let second = put(stream, &key, &format!("{key} second")).await;
        assert_eq!(first.shard, second.shard);
        assert!(first.sequence < second.sequence);
        let records = read(stream, &first.shard, Position::After(first.sequence - 1)).await;
        assert_eq!(data(&records), [format!("{key} first"), format!("{key} second")]);
        assert_eq!(records[0].key, key);
        used.push(first.shard);
    }
    let shards = stream.shards().await.expect("shards");
    assert!(shards.len() == 2 && shards.iter().all(|shard| used.contains(shard)));
}

/// Records stay: any reader may read them again from any place.
pub async fn records_can_be_read_again_from_any_place(stream: &dyn Stream, time: &dyn Passing) {
    let first = put(stream, "k", "1").await;
    time.pass(Duration::from_secs(60)).await;
    let second = put(stream, "k", "2").await;
    put(stream, "k", "3").await;
    let shard = first.shard.as_str();
    let all = read(stream, shard, Position::Oldest).await;
    assert_eq!(data(&all), ["1", "2", "3"]);
    assert_eq!(data(&read(stream, shard, Position::After(second.sequence)).await), ["3"]);
    assert_eq!(data(&read(stream, shard, Position::At(all[1].put_at_ms)).await), ["2", "3"]);
    let two = stream.read(shard, Position::Oldest, 2, Duration::ZERO).await.expect("read");
    assert_eq!(data(&two), ["1", "2"]);
}

/// A reader goes on after its checkpoint, which never goes back, until it is reset.
pub async fn a_checkpoint_never_goes_back(stream: &dyn Stream) {
    let first = put(stream, "k", "1").await;
    let second = put(stream, "k", "2").await;
    let shard = first.shard.as_str();
    assert_eq!(stream.checkpoint("r", shard).await.expect("checkpoint"), None);
    for sequence in [second.sequence, first.sequence] {
        stream.advance("r", shard, sequence).await.expect("advance");
        let checkpoint = stream.checkpoint("r", shard).await.expect("checkpoint");
        assert_eq!(checkpoint, Some(second.sequence));
    }
    assert_eq!(stream.checkpoint("other", shard).await.expect("checkpoint"), None);
    stream.reset("r").await.expect("reset");
    assert_eq!(stream.checkpoint("r", shard).await.expect("checkpoint"), None);
}

/// The lag is what a reader has not done with.
pub async fn the_lag_is_what_a_reader_has_not_done_with(stream: &dyn Stream, time: &dyn Passing) {
    assert_eq!(stream.lag("r").await.expect("lag"), Lag::default());
    let first = put(stream, "k", "1").await;
    time.pass(Duration::from_secs(7)).await;
    let second = put(stream, "k", "2").await;
    let lag = stream.lag("r").await.expect("lag");
    assert!(lag.records == 2 && lag.age_ms >= 7_000);
    stream.advance("r", &first.shard, first.sequence).await.expect("advance");
    let lag = stream.lag("r").await.expect("lag");
    assert!(lag.records == 1 && lag.age_ms < 7_000);
    stream.advance("r", &first.shard, second.sequence).await.expect("advance");
    assert_eq!(stream.lag("r").await.expect("lag"), Lag::default());
}

/// A reader that waits is woken by a record.
pub async fn a_reader_that_waits_is_woken_by_a_record(stream: &dyn Stream) {
    let first = put(stream, "k", "1").await;
    let after = Position::After(first.sequence);
    let wait = stream.read(&first.shard, after, 10, Duration::from_secs(20));
    let (records, _) = join(wait, put(stream, "k", "2")).await;
    assert_eq!(data(&records.expect("read")), ["2"]);
}

/// What is beyond a limit is refused.
pub async fn what_is_beyond_a_limit_is_refused(stream: &dyn Stream) {
    let large = vec![0; MAX_RECORD_BYTES + 1];
    let long = "k".repeat(257);
    for (key, data) in [("k", large.as_slice()), ("", &[]), (long.as_str(), &[])] {
        let error = stream.put(key, data).await.expect_err("beyond a limit");
        assert_eq!(error.kind(), MessagingErrorKind::Invalid);
    }
    let shards = stream.shards().await.expect("shards");
    for (shard, max, kind) in [
        (shards[0].as_str(), 0, MessagingErrorKind::Invalid),
        (&shards[0], MAX_RECORDS + 1, MessagingErrorKind::Invalid),
        ("unheard of", 1, MessagingErrorKind::NotFound),
    ] {
        let read = stream.read(shard, Position::Oldest, max, Duration::ZERO).await;
        assert_eq!(read.expect_err("beyond a limit").kind(), kind);
    }
}
