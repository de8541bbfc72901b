-- Version 1 of the device store, which later files bring up. Each step is a new file; one that was released stays.
CREATE TABLE setting (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE conversation (
    id       INTEGER PRIMARY KEY,
    summary  TEXT,
    progress TEXT
);

CREATE TABLE event (
    conversation INTEGER NOT NULL,
    seq          INTEGER NOT NULL,
    ts           INTEGER NOT NULL,
    sender       INTEGER NOT NULL,
    device       INTEGER,
    nonce        TEXT,
    kind         TEXT NOT NULL,
    shown        INTEGER NOT NULL,
    target       INTEGER,
    body         TEXT,
    PRIMARY KEY (conversation, seq)
) WITHOUT ROWID;

CREATE INDEX event_by_target ON event (conversation, target) WHERE target IS NOT NULL;

CREATE TABLE queued_change (
    nonce        TEXT PRIMARY KEY,
    place        INTEGER NOT NULL,
    conversation INTEGER NOT NULL,
    entry        TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE profile (
    id      INTEGER PRIMARY KEY,
    profile TEXT NOT NULL
);
