use super::*;

fn database() -> (tempfile::TempDir, Database) {
    let folder = tempfile::tempdir().unwrap();
    let tables = "CREATE TABLE t (n INTEGER PRIMARY KEY) STRICT;";
    let database = Database::open(&folder.path().join("t.db"), &[tables]).unwrap();
    (folder, database)
}

async fn insert(database: &Database, n: i64) -> Result<usize, StoreError> {
    database.write("insert", move |db| db.execute("INSERT INTO t VALUES (?)", [n])).await
}

async fn sum(database: &Database) -> i64 {
    let sum = |db: &Connection| db.query_row("SELECT coalesce(sum(n), 0) FROM t", [], |r| r.get(0));
    database.read("sum", sum).await.unwrap()
}

#[tokio::test]
async fn a_write_that_fails_leaves_its_neighbours_in_the_batch_alone() {
    let (_folder, database) = database();
    // All four are queued before the first is awaited, so they may share a transaction.
    let (one, again, half, two) = tokio::join!(
        insert(&database, 1),
        insert(&database, 1),
        database.write("half", |db| {
            db.execute("INSERT INTO t VALUES (100)", [])?;
            db.execute("INSERT INTO t VALUES (100)", [])
        }),
        insert(&database, 2),
    );
    assert!(one.is_ok() && two.is_ok());
    assert!(again.is_err() && half.is_err());
    assert_eq!(sum(&database).await, 3);
}

#[tokio::test]
async fn a_write_whose_caller_has_gone_is_done_all_the_same() {
    let (_folder, database) = database();
    {
        // Polled once, the write is queued; whether it is done by then does not matter.
        let mut write = std::pin::pin!(insert(&database, 5));
        std::future::poll_fn(|context| {
            let _ = write.as_mut().poll(context);
            std::task::Poll::Ready(())
        })
        .await;
    }
    // Writes are done in order, so after this one the outcome of the first is settled.
    insert(&database, 1).await.unwrap();
    assert_eq!(sum(&database).await, 6);
}

#[tokio::test]
async fn a_migration_runs_once_in_the_life_of_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.db");
    let first = "CREATE TABLE t (n INTEGER PRIMARY KEY) STRICT;";
    insert(&Database::open(&path, &[first]).unwrap(), 1).await.unwrap();
    let both = Database::open(&path, &[first, "INSERT INTO t VALUES (10);"]).unwrap();
    assert_eq!(sum(&both).await, 11);
    let again = Database::open(&path, &[first, "INSERT INTO t VALUES (10);"]).unwrap();
    assert_eq!(sum(&again).await, 11);
}

#[tokio::test]
async fn the_reader_cannot_write() {
    let (_folder, database) = database();
    let write = |db: &Connection| db.execute("INSERT INTO t VALUES (1)", []);
    assert!(database.read("write", write).await.is_err());
    database.ping().await.unwrap();
}
