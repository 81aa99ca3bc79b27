use std::fmt;
use std::time::Duration;

use super::MessagingFuture;

/// The most bytes of a record, as in Kinesis.
pub const MAX_RECORD_BYTES: usize = 1024 * 1024;

/// The most records of one read.
pub const MAX_RECORDS: usize = 1_000;

/// A stream: records stay for any number of readers, in order within each shard.
///
/// A record's shard follows from its partition key, so records of one key keep their order. Each
/// reader keeps its own checkpoints and may go back.
pub trait Stream: Send + Sync + fmt::Debug + 'static {
    /// Its name.
    fn name(&self) -> &str;

    /// The ids of its shards.
    fn shards(&self) -> MessagingFuture<'_, Vec<String>>;

    /// Appends a record to the shard of `key`.
    ///
    /// # Errors
    /// `Invalid` when it is too large or the key is not 1 to 256 characters.
    fn put<'a>(&'a self, key: &'a str, data: &'a [u8]) -> MessagingFuture<'a, Appended>;

    /// Reads up to `max` records of a shard; waits up to `wait` for the first.
    ///
    /// # Errors
    /// `NotFound` for an unknown shard, `Invalid` when `max` is not 1 to [`MAX_RECORDS`].
    fn read<'a>(
        &'a self,
        shard: &'a str,
        position: Position,
        max: usize,
        wait: Duration,
    ) -> MessagingFuture<'a, Vec<Record>>;

    /// The last record that `reader` has done with in a shard.
    fn checkpoint<'a>(
        &'a self,
        reader: &'a str,
        shard: &'a str,
    ) -> MessagingFuture<'a, Option<u64>>;

    /// Notes that `reader` has done with all records up to `sequence`; never goes back.
    fn advance<'a>(
        &'a self,
        reader: &'a str,
        shard: &'a str,
        sequence: u64,
    ) -> MessagingFuture<'a, ()>;

    /// Forgets the checkpoints of `reader`, so that it begins at the beginning.
    fn reset<'a>(&'a self, reader: &'a str) -> MessagingFuture<'a, ()>;

    /// How far `reader` is behind, over all shards.
    fn lag<'a>(&'a self, reader: &'a str) -> MessagingFuture<'a, Lag>;
}

/// Where to read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Position {
    /// The oldest record there is; Kinesis calls it `TRIM_HORIZON`.
    Oldest,
    /// The record after this one; Kinesis calls it `AFTER_SEQUENCE_NUMBER`.
    After(u64),
    /// The first record that was put at this time or later, in milliseconds since
    /// 1970-01-01T00:00:00Z; Kinesis calls it `AT_TIMESTAMP`.
    At(u64),
}

/// Where a record was put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appended {
    /// The shard.
    pub shard: String,
    /// The place in the shard; ever growing, with gaps.
    pub sequence: u64,
}

/// A record of a stream.
#[derive(Clone, PartialEq, Eq)]
pub struct Record {
    /// Its place in the shard.
    pub sequence: u64,
    /// Its partition key.
    pub key: String,
    /// The content.
    pub data: Vec<u8>,
    /// When it was put, in milliseconds since 1970-01-01T00:00:00Z.
    pub put_at_ms: u64,
}

/// Tells where it stands, not the content, which may hold what no log should.
impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record")
            .field("sequence", &self.sequence)
            .field("data_bytes", &self.data.len())
            .finish_non_exhaustive()
    }
}

/// How far a reader is behind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lag {
    /// Records it has not done with.
    pub records: u64,
    /// How long ago the oldest of them was put, in milliseconds; Kinesis calls it
    /// `IteratorAgeMilliseconds`.
    pub age_ms: u64,
}
