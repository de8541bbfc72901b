-- The embedded store, version 1. Times are milliseconds since the Unix epoch; enumerations are the integers of
-- `codec.rs`; bodies are JSON texts, NULL once erased. Decision record 0002 says why the hot tables look as they do.

-- One row: what the store knows of itself.
CREATE TABLE store (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    -- Names this life of the store; another after every restore.
    epoch INTEGER NOT NULL,
    -- Secret of the hash that shortens nonces to 64 bits.
    nonce_secret BLOB NOT NULL,
    -- Positions up to here may have been given out; a start goes on above.
    reserved_pos INTEGER NOT NULL,
    -- Every nonce of an event up to this position stands in `nonces`.
    nonces_complete_to INTEGER NOT NULL,
    -- How often the store was asked whether it can write.
    probes INTEGER NOT NULL
) STRICT;

CREATE TABLE users (
    id INTEGER PRIMARY KEY,
    -- NULL once deleted.
    username TEXT UNIQUE,
    display_name TEXT NOT NULL,
    -- The display name in lower case, for search.
    folded_name TEXT NOT NULL,
    bio TEXT NOT NULL,
    avatar TEXT,
    kind INTEGER NOT NULL,
    email TEXT UNIQUE,
    phone TEXT UNIQUE,
    password_hash TEXT NOT NULL,
    settings TEXT NOT NULL,
    last_seen_audience INTEGER NOT NULL,
    read_receipts INTEGER NOT NULL,
    -- Bits: 1 username, 2 e-mail, 4 phone.
    find_by INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    last_seen INTEGER,
    deleted_at INTEGER
) STRICT;
CREATE INDEX users_name ON users (folded_name);

-- Usernames of deleted accounts that are not free yet.
CREATE TABLE reserved_names (
    username TEXT PRIMARY KEY,
    until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE account_events (
    user_id INTEGER NOT NULL REFERENCES users (id),
    pos INTEGER NOT NULL,
    ts INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (user_id, pos)
) STRICT, WITHOUT ROWID;

CREATE TABLE devices (
    id INTEGER PRIMARY KEY,
    user_id INTEGER NOT NULL REFERENCES users (id),
    name TEXT NOT NULL,
    platform TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    last_seen INTEGER
) STRICT;
CREATE INDEX devices_user ON devices (user_id);

CREATE TABLE refresh_tokens (
    hash BLOB PRIMARY KEY,
    device_id INTEGER NOT NULL REFERENCES devices (id) ON DELETE CASCADE,
    expires_at INTEGER NOT NULL,
    -- NULL while it is good; then when and with which key it was used, and what a repetition is answered with.
    used_at INTEGER,
    idempotency_key TEXT,
    sealed_successor BLOB
) STRICT, WITHOUT ROWID;
CREATE INDEX refresh_tokens_device ON refresh_tokens (device_id);

CREATE TABLE signing_keys (
    id TEXT PRIMARY KEY,
    pkcs8 BLOB NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What creations answered, for 24 hours.
CREATE TABLE remembered_answers (
    scope TEXT NOT NULL,
    key TEXT NOT NULL,
    request_hash BLOB NOT NULL,
    created INTEGER NOT NULL,
    ts INTEGER NOT NULL,
    PRIMARY KEY (scope, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX remembered_answers_ts ON remembered_answers (ts);

-- What seldom changes of a conversation; what every append changes is in `heads`.
CREATE TABLE conversations (
    id INTEGER PRIMARY KEY,
    kind INTEGER NOT NULL,
    title TEXT NOT NULL,
    description TEXT NOT NULL,
    avatar TEXT,
    owner INTEGER,
    created_at INTEGER NOT NULL,
    history INTEGER NOT NULL,
    retention_mode INTEGER NOT NULL,
    retention_seconds INTEGER NOT NULL,
    may_post INTEGER NOT NULL,
    may_invite INTEGER NOT NULL,
    may_edit_info INTEGER NOT NULL,
    may_pin INTEGER NOT NULL,
    slow_mode_ms INTEGER NOT NULL,
    member_count INTEGER NOT NULL,
    -- The two of a direct conversation, in order of their ids.
    first_peer INTEGER,
    second_peer INTEGER
) STRICT;
CREATE UNIQUE INDEX conversations_peers ON conversations (first_peer, second_peer) WHERE first_peer IS NOT NULL;

CREATE TABLE heads (
    conversation_id INTEGER PRIMARY KEY,
    -- The newest event's seq.
    head INTEGER NOT NULL,
    -- The newest event's number: how many messages there are.
    number INTEGER NOT NULL,
    -- The newest message's seq; 0 while there is none.
    last_message INTEGER NOT NULL,
    last_activity INTEGER NOT NULL,
    -- The position at which log or cursors last moved.
    touched INTEGER NOT NULL,
    -- Grows with what bears on who may write and does not stand in the log.
    version INTEGER NOT NULL
) STRICT;

-- In order of arrival: `pos` is what workers tail.
CREATE TABLE events (
    pos INTEGER PRIMARY KEY,
    conversation_id INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    ts INTEGER NOT NULL,
    sender INTEGER NOT NULL,
    device_id INTEGER,
    kind INTEGER NOT NULL,
    -- The message that it is about.
    target INTEGER,
    -- How many messages the log holds up to here, this event included.
    number INTEGER NOT NULL,
    nonce TEXT,
    -- On a message: the seq of its newest edit.
    revised INTEGER,
    body TEXT
) STRICT;
CREATE UNIQUE INDEX events_place ON events (conversation_id, seq);
CREATE INDEX events_target ON events (conversation_id, target) WHERE target IS NOT NULL;

-- Where nonces stand, by a 64-bit hash of sender and nonce. Filled late and in key order: see `nonces.rs`.
CREATE TABLE nonces (
    conversation_id INTEGER NOT NULL,
    hash INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (conversation_id, hash, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE members (
    conversation_id INTEGER NOT NULL REFERENCES conversations (id),
    user_id INTEGER NOT NULL REFERENCES users (id),
    role INTEGER NOT NULL,
    joined_at INTEGER NOT NULL,
    -- The position at which the membership began: orders members by age.
    joined_pos INTEGER NOT NULL,
    visible_from INTEGER NOT NULL,
    muted_until INTEGER,
    pinned INTEGER NOT NULL,
    archived INTEGER NOT NULL,
    draft TEXT,
    -- The position at which the preferences last moved.
    touched INTEGER NOT NULL,
    PRIMARY KEY (conversation_id, user_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX members_user ON members (user_id, conversation_id);

-- Who was a member once: where to look for what an account wrote.
CREATE TABLE former_members (
    user_id INTEGER NOT NULL,
    conversation_id INTEGER NOT NULL,
    PRIMARY KEY (user_id, conversation_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX former_members_conversation ON former_members (conversation_id);

-- Unread = heads.number - number_at_read - own_after_read.
CREATE TABLE cursors (
    conversation_id INTEGER NOT NULL,
    user_id INTEGER NOT NULL,
    delivered INTEGER NOT NULL,
    read INTEGER NOT NULL,
    number_at_read INTEGER NOT NULL,
    own_after_read INTEGER NOT NULL,
    PRIMARY KEY (conversation_id, user_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE device_cursors (
    conversation_id INTEGER NOT NULL,
    user_id INTEGER NOT NULL,
    device_id INTEGER NOT NULL,
    delivered INTEGER NOT NULL,
    PRIMARY KEY (conversation_id, user_id, device_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE reactions (
    conversation_id INTEGER NOT NULL,
    target INTEGER NOT NULL,
    emoji TEXT NOT NULL,
    user_id INTEGER NOT NULL,
    -- The event by which it stands.
    seq INTEGER NOT NULL,
    ts INTEGER NOT NULL,
    -- Since which seq the emoji stands on the target without a break: orders the emoji.
    since INTEGER NOT NULL,
    PRIMARY KEY (conversation_id, target, emoji, user_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE pins (
    conversation_id INTEGER NOT NULL,
    target INTEGER NOT NULL,
    PRIMARY KEY (conversation_id, target)
) STRICT, WITHOUT ROWID;

CREATE TABLE mentions (
    user_id INTEGER NOT NULL,
    conversation_id INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (user_id, conversation_id, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX mentions_place ON mentions (conversation_id, seq);

-- Erasures too large for one transaction: done in slices, taken up again at the next start.
CREATE TABLE unfinished (
    task INTEGER NOT NULL,
    subject INTEGER NOT NULL,
    PRIMARY KEY (task, subject)
) STRICT, WITHOUT ROWID;
