-- Retention, and the work that is done beside requests.

-- How far retention has erased; no row while nowhere. Apart from `heads`, which every append writes.
CREATE TABLE retention_horizons (
    conversation_id INTEGER PRIMARY KEY,
    erased_to INTEGER NOT NULL,
    expired_to INTEGER NOT NULL
) STRICT;

-- How far each worker has tailed the log.
CREATE TABLE worker_cursors (
    worker TEXT PRIMARY KEY,
    pos INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE jobs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    -- What the handler keeps between its turns.
    payload TEXT NOT NULL,
    -- 1 waiting, 2 running, 3 dead.
    state INTEGER NOT NULL,
    -- When it may be claimed: its time, or the end of its lease; when it died.
    due_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    -- How often it was claimed: the newest claim alone may settle it.
    claims INTEGER NOT NULL,
    -- While it runs: when it was enqueued for meanwhile.
    again_at INTEGER,
    error TEXT,
    created_at INTEGER NOT NULL,
    UNIQUE (kind, key)
) STRICT;
CREATE INDEX jobs_due ON jobs (due_at) WHERE state <> 3;
