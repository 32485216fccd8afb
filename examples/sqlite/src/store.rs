//! [`SqliteStore`]: a [`Store`] whose records outlive the process.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use arcbus::Message;
use arcbus::middleware::idempotency::{Begin, Claim, Fingerprint, Progress, Record, Store};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, TransactionBehavior, params};

/// A reply that can be stored as text in a table.
pub trait Stored: Sized {
    /// Returns the text from which the reply can be restored.
    fn to_text(&self) -> String;

    /// Returns the reply with this text, or `None` if the text is invalid.
    fn from_text(text: &str) -> Option<Self>;
}

/// Times are milliseconds of wall time. An `id` is never reused, so that a run that ends late finds
/// no record of another run.
const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS idempotency (
        id          INTEGER PRIMARY KEY AUTOINCREMENT,
        message     TEXT    NOT NULL,
        key         TEXT    NOT NULL,
        fingerprint BLOB    NOT NULL,
        until       INTEGER NOT NULL,
        reply       TEXT,
        UNIQUE (message, key)
    );
    CREATE INDEX IF NOT EXISTS idempotency_until ON idempotency (until);
";

/// Keys and replies in one table of a database, which several processes may share.
#[derive(Debug)]
pub struct SqliteStore {
    connection: Mutex<Connection>,
    capacity: usize,
}

impl SqliteStore {
    /// Opens the database at `path`, with room for `capacity` keys of all messages together.
    ///
    /// # Errors
    ///
    /// Returns the errors of SQLite.
    pub fn open(path: &Path, capacity: usize) -> rusqlite::Result<Self> {
        let connection = Connection::open(path)?;
        connection.busy_timeout(Duration::from_secs(5))?;
        // A record must be on disk before `begin` returns, because the handler runs right after.
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.execute_batch(SCHEMA)?;
        Ok(Self {
            connection: Mutex::new(connection),
            capacity,
        })
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs in one transaction, for which others wait. If two callers begin a key at once, only one
    /// is told to run.
    fn try_begin<R: Stored>(&self, claim: Claim<'_>) -> rusqlite::Result<Begin<i64, R>> {
        let mut connection = self.connection();
        let write = TransactionBehavior::Immediate;
        let transaction = connection.transaction_with_behavior(write)?;
        let now = now();
        transaction.execute("DELETE FROM idempotency WHERE until <= ?1", [now])?;
        let begin = match find(&transaction, claim)? {
            Some(record) => Begin::Known(record),
            None if count(&transaction)? >= self.capacity => Begin::Full {
                limit: self.capacity,
            },
            None => Begin::Run(insert(&transaction, claim, now)?),
        };
        transaction.commit()?;
        Ok(begin)
    }
}

fn find<R: Stored>(
    transaction: &Transaction<'_>,
    claim: Claim<'_>,
) -> rusqlite::Result<Option<Record<R>>> {
    let select = "SELECT fingerprint, reply FROM idempotency WHERE message = ?1 AND key = ?2";
    let key = [claim.message(), claim.key().as_str()];
    transaction.query_row(select, key, record).optional()
}

fn record<R: Stored>(row: &Row<'_>) -> rusqlite::Result<Record<R>> {
    let reply: Option<String> = row.get(1)?;
    Ok(Record {
        fingerprint: Fingerprint::from_bytes(row.get(0)?),
        // A reply that cannot be parsed, because its type has changed, leaves the run in doubt.
        progress: match reply.and_then(|text| R::from_text(&text)) {
            Some(reply) => Progress::Done(reply),
            None => Progress::Begun,
        },
    })
}

fn count(transaction: &Transaction<'_>) -> rusqlite::Result<usize> {
    let count = "SELECT count(*) FROM idempotency";
    let count: i64 = transaction.query_row(count, [], |row| row.get(0))?;
    Ok(usize::try_from(count).unwrap_or(usize::MAX))
}

fn insert(transaction: &Transaction<'_>, claim: Claim<'_>, now: i64) -> rusqlite::Result<i64> {
    let until = now.saturating_add(millis(claim.window()));
    let insert =
        "INSERT INTO idempotency (message, key, fingerprint, until) VALUES (?1, ?2, ?3, ?4)";
    let fingerprint = claim.fingerprint().to_bytes();
    let values = params![claim.message(), claim.key().as_str(), fingerprint, until];
    transaction.execute(insert, values)?;
    Ok(transaction.last_insert_rowid())
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    millis(since.unwrap_or_default())
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// SQLite works on the calling thread, which waits for the disk. A program with many async tasks
/// should give SQLite a thread of its own.
impl<M: Message<Reply: Stored + Sync>> Store<M> for SqliteStore {
    /// The `id` of the record, by which a run finds its own record again.
    type Begun = i64;
    type Error = rusqlite::Error;

    async fn begin(&self, claim: Claim<'_>) -> rusqlite::Result<Begin<i64, M::Reply>> {
        self.try_begin(claim)
    }

    async fn finish(&self, id: i64, reply: &M::Reply) -> rusqlite::Result<()> {
        let update = "UPDATE idempotency SET reply = ?2 WHERE id = ?1";
        let values = params![id, reply.to_text()];
        self.connection().execute(update, values).map(drop)
    }

    async fn forget(&self, id: i64) -> rusqlite::Result<()> {
        let delete = "DELETE FROM idempotency WHERE id = ?1";
        self.connection().execute(delete, [id]).map(drop)
    }
}
