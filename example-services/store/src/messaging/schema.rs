/// The tables of the broker.
pub(super) const MIGRATIONS: &[&str] = &["
    -- A message stays the same row from its sending to its deletion, also in a dead-letter queue.
    CREATE TABLE messages (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT,
        queue TEXT NOT NULL,
        body TEXT NOT NULL,
        attributes TEXT NOT NULL,
        system_attributes TEXT NOT NULL,
        group_id TEXT,
        sent_at_ms INTEGER NOT NULL,
        visible_at_ms INTEGER NOT NULL,
        first_received_at_ms INTEGER,
        receive_count INTEGER NOT NULL DEFAULT 0,
        -- Counts on where receive_count begins anew, so that no receipt comes twice.
        receipt INTEGER NOT NULL DEFAULT 0,
        dead_letter_source TEXT
    ) STRICT;
    CREATE INDEX messages_by_visibility ON messages (queue, visible_at_ms, sequence);
    CREATE INDEX messages_by_group ON messages (queue, group_id, visible_at_ms)
        WHERE group_id IS NOT NULL;

    CREATE TABLE deduplications (
        queue TEXT NOT NULL,
        deduplication_id TEXT NOT NULL,
        sequence INTEGER NOT NULL,
        at_ms INTEGER NOT NULL,
        PRIMARY KEY (queue, deduplication_id)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX deduplications_by_age ON deduplications (queue, at_ms);

    CREATE TABLE topics (
        topic TEXT PRIMARY KEY,
        published INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE subscriptions (
        topic TEXT NOT NULL,
        queue TEXT NOT NULL,
        delivered INTEGER NOT NULL,
        filtered_out INTEGER NOT NULL,
        PRIMARY KEY (topic, queue)
    ) STRICT, WITHOUT ROWID;

    -- The archive of the bus.
    CREATE TABLE events (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT,
        time_ms INTEGER NOT NULL,
        put_at_ms INTEGER NOT NULL,
        event TEXT NOT NULL
    ) STRICT;
    CREATE INDEX events_by_time ON events (time_ms);

    CREATE TABLE records (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT,
        stream TEXT NOT NULL,
        shard INTEGER NOT NULL,
        partition_key TEXT NOT NULL,
        data BLOB NOT NULL,
        put_at_ms INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX records_by_shard ON records (stream, shard, sequence);

    CREATE TABLE checkpoints (
        stream TEXT NOT NULL,
        reader TEXT NOT NULL,
        shard INTEGER NOT NULL,
        sequence INTEGER NOT NULL,
        PRIMARY KEY (stream, reader, shard)
    ) STRICT, WITHOUT ROWID;
"];
