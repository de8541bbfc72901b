-- The store on PostgreSQL, version 1: the tables of `migrations/sqlite` V1 to V6, and what many writers need. Times are
-- milliseconds since the Unix epoch; enumerations are the integers of `codec.rs`; bodies are JSON texts, NULL once
-- erased. Texts are compared byte by byte, whatever the database's locale. Decision record 0010 says why the hot
-- tables look as they do.

-- Functions that SQLite has: the statements are shared.

CREATE FUNCTION min(one BIGINT, other BIGINT) RETURNS BIGINT
    LANGUAGE SQL IMMUTABLE PARALLEL SAFE AS 'SELECT LEAST(one, other)';

CREATE FUNCTION max(one BIGINT, other BIGINT) RETURNS BIGINT
    LANGUAGE SQL IMMUTABLE PARALLEL SAFE AS 'SELECT GREATEST(one, other)';

CREATE FUNCTION json_valid(body TEXT) RETURNS BOOLEAN LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    PERFORM body::json;
    RETURN TRUE;
EXCEPTION WHEN invalid_text_representation THEN
    RETURN FALSE;
END $$;

-- `$.name` of an object, as a text; true and false are 1 and 0.
CREATE FUNCTION json_extract(body TEXT, path TEXT) RETURNS TEXT LANGUAGE SQL IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE json_typeof(body::json -> substr(path, 3))
        WHEN 'boolean' THEN CASE body::json ->> substr(path, 3) WHEN 'true' THEN '1' ELSE '0' END
        ELSE body::json ->> substr(path, 3) END
$$;

-- The strings of an array.
CREATE FUNCTION json_each(list TEXT) RETURNS TABLE (value TEXT) LANGUAGE SQL IMMUTABLE PARALLEL SAFE AS
    'SELECT json_array_elements_text(list::json)';

-- One row: what the store knows of itself.
CREATE TABLE store (
    id BIGINT PRIMARY KEY CHECK (id = 1),
    -- Names this life of the store; another after every restore.
    epoch BIGINT NOT NULL,
    -- Secret of the hash that shortens nonces to 64 bits.
    nonce_secret BYTEA NOT NULL,
    -- How often the store was asked whether it can write.
    probes BIGINT NOT NULL
);

CREATE TABLE users (
    id BIGINT PRIMARY KEY,
    -- NULL once deleted.
    username TEXT COLLATE "C" UNIQUE,
    display_name TEXT NOT NULL,
    -- The display name in lower case, for search.
    folded_name TEXT COLLATE "C" NOT NULL,
    bio TEXT NOT NULL,
    avatar TEXT,
    kind SMALLINT NOT NULL,
    email TEXT COLLATE "C" UNIQUE,
    phone TEXT COLLATE "C" UNIQUE,
    password_hash TEXT NOT NULL,
    settings TEXT NOT NULL,
    last_seen_audience SMALLINT NOT NULL,
    read_receipts SMALLINT NOT NULL,
    -- Bits: 1 username, 2 e-mail, 4 phone.
    find_by SMALLINT NOT NULL,
    created_at BIGINT NOT NULL,
    last_seen BIGINT,
    deleted_at BIGINT,
    -- Since when an operator shut the account out; NULL while it may sign in.
    disabled_at BIGINT
) WITH (fillfactor = 80);
CREATE INDEX users_name ON users (folded_name);

-- Usernames of deleted accounts that are not free yet.
CREATE TABLE reserved_names (
    username TEXT COLLATE "C" PRIMARY KEY,
    until BIGINT NOT NULL
);

-- The newest position of each user's account log: who appends locks its row.
CREATE TABLE account_heads (
    user_id BIGINT PRIMARY KEY,
    pos BIGINT NOT NULL
) WITH (fillfactor = 70);

CREATE TABLE account_events (
    user_id BIGINT NOT NULL REFERENCES users (id),
    pos BIGINT NOT NULL,
    ts BIGINT NOT NULL,
    kind SMALLINT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (user_id, pos)
);

CREATE TABLE devices (
    id BIGINT PRIMARY KEY,
    user_id BIGINT NOT NULL REFERENCES users (id),
    name TEXT NOT NULL,
    platform TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    last_seen BIGINT
) WITH (fillfactor = 80);
CREATE INDEX devices_user ON devices (user_id);

CREATE TABLE refresh_tokens (
    hash BYTEA PRIMARY KEY,
    device_id BIGINT NOT NULL REFERENCES devices (id) ON DELETE CASCADE,
    expires_at BIGINT NOT NULL,
    -- NULL while it is good; then when and with which key it was used, and what a repetition is answered with.
    used_at BIGINT,
    idempotency_key TEXT,
    sealed_successor BYTEA
);
CREATE INDEX refresh_tokens_device ON refresh_tokens (device_id);

CREATE TABLE signing_keys (
    id TEXT COLLATE "C" PRIMARY KEY,
    pkcs8 BYTEA NOT NULL,
    created_at BIGINT NOT NULL
);

-- What creations answered, for 24 hours.
CREATE TABLE remembered_answers (
    scope TEXT COLLATE "C" NOT NULL,
    key TEXT COLLATE "C" NOT NULL,
    request_hash BYTEA NOT NULL,
    created BIGINT NOT NULL,
    ts BIGINT NOT NULL,
    PRIMARY KEY (scope, key)
);
CREATE INDEX remembered_answers_ts ON remembered_answers (ts);

-- What seldom changes of a conversation; what every append changes is in `heads`.
CREATE TABLE conversations (
    id BIGINT PRIMARY KEY,
    kind SMALLINT NOT NULL,
    title TEXT NOT NULL,
    description TEXT NOT NULL,
    avatar TEXT,
    owner BIGINT,
    created_at BIGINT NOT NULL,
    history SMALLINT NOT NULL,
    retention_mode SMALLINT NOT NULL,
    retention_seconds BIGINT NOT NULL,
    may_post SMALLINT NOT NULL,
    may_invite SMALLINT NOT NULL,
    may_edit_info SMALLINT NOT NULL,
    may_pin SMALLINT NOT NULL,
    slow_mode_ms BIGINT NOT NULL,
    member_count BIGINT NOT NULL,
    -- The two of a direct conversation, in order of their ids.
    first_peer BIGINT,
    second_peer BIGINT
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX conversations_peers ON conversations (first_peer, second_peer) WHERE first_peer IS NOT NULL;

-- Whoever appends locks the row: this is what makes `seq` contiguous.
CREATE TABLE heads (
    conversation_id BIGINT PRIMARY KEY,
    -- The newest event's seq.
    head BIGINT NOT NULL,
    -- The newest event's number: how many messages there are.
    number BIGINT NOT NULL,
    -- The newest message's seq; 0 while there is none.
    last_message BIGINT NOT NULL,
    last_activity BIGINT NOT NULL,
    -- The position at which log or cursors last moved.
    touched BIGINT NOT NULL,
    -- Grows with what bears on who may write and does not stand in the log.
    version BIGINT NOT NULL
) WITH (fillfactor = 50);

-- By position, which grows with the number of the transaction: new rows go to the newest partition, old partitions stay as they
-- are and can be moved to cheaper storage. The partitions, each with a unique index on (conversation_id, seq) and one
-- on (conversation_id, target), are made by the service ahead of time.
CREATE TABLE events (
    pos BIGINT NOT NULL,
    conversation_id BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    ts BIGINT NOT NULL,
    sender BIGINT NOT NULL,
    device_id BIGINT,
    -- How many messages the log holds up to here, this event included.
    number BIGINT NOT NULL,
    -- The message that it is about.
    target BIGINT,
    -- On a message: the seq of its newest edit.
    revised BIGINT,
    kind SMALLINT NOT NULL,
    nonce TEXT COLLATE "C",
    body TEXT,
    PRIMARY KEY (pos)
) PARTITION BY RANGE (pos);

-- Where nonces stand, by a 64-bit hash of sender and nonce; what is found is compared with the event itself.
CREATE TABLE nonces (
    conversation_id BIGINT NOT NULL,
    hash BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    PRIMARY KEY (conversation_id, hash, seq)
);

-- Members of channels come and go without an event: what names such a change for retries, and its first result.
CREATE TABLE unlogged_nonces (
    conversation_id BIGINT NOT NULL,
    sender BIGINT NOT NULL,
    nonce TEXT COLLATE "C" NOT NULL,
    -- The head when it was done.
    seq BIGINT NOT NULL,
    ts BIGINT NOT NULL,
    PRIMARY KEY (conversation_id, sender, nonce)
);

CREATE TABLE members (
    conversation_id BIGINT NOT NULL REFERENCES conversations (id),
    user_id BIGINT NOT NULL REFERENCES users (id),
    role SMALLINT NOT NULL,
    joined_at BIGINT NOT NULL,
    -- The position at which the membership began: orders members by age.
    joined_pos BIGINT NOT NULL,
    visible_from BIGINT NOT NULL,
    muted_until BIGINT,
    pinned SMALLINT NOT NULL,
    archived SMALLINT NOT NULL,
    draft TEXT,
    -- The position at which the preferences last moved.
    touched BIGINT NOT NULL,
    PRIMARY KEY (conversation_id, user_id)
);
CREATE INDEX members_user ON members (user_id, conversation_id);

-- Who was a member once: where to look for what an account wrote.
CREATE TABLE former_members (
    user_id BIGINT NOT NULL,
    conversation_id BIGINT NOT NULL,
    -- Whether the former member was removed: no invitation lets them in again.
    barred SMALLINT NOT NULL DEFAULT 0,
    -- When they last sent a message: leaving and coming back does not outwit the slow mode.
    last_sent BIGINT,
    PRIMARY KEY (user_id, conversation_id)
);
CREATE INDEX former_members_conversation ON former_members (conversation_id);

-- Unread = heads.number - number_at_read - own_after_read.
CREATE TABLE cursors (
    conversation_id BIGINT NOT NULL,
    user_id BIGINT NOT NULL,
    delivered BIGINT NOT NULL,
    read BIGINT NOT NULL,
    number_at_read BIGINT NOT NULL,
    own_after_read BIGINT NOT NULL,
    -- When the member last sent a message: for the slow mode.
    last_sent BIGINT,
    PRIMARY KEY (conversation_id, user_id)
) WITH (fillfactor = 50);

CREATE TABLE device_cursors (
    conversation_id BIGINT NOT NULL,
    user_id BIGINT NOT NULL,
    device_id BIGINT NOT NULL,
    delivered BIGINT NOT NULL,
    PRIMARY KEY (conversation_id, user_id, device_id)
) WITH (fillfactor = 50);

CREATE TABLE reactions (
    conversation_id BIGINT NOT NULL,
    target BIGINT NOT NULL,
    emoji TEXT COLLATE "C" NOT NULL,
    user_id BIGINT NOT NULL,
    -- The event by which it stands.
    seq BIGINT NOT NULL,
    ts BIGINT NOT NULL,
    -- Since which seq the emoji stands on the target without a break: orders the emoji.
    since BIGINT NOT NULL,
    PRIMARY KEY (conversation_id, target, emoji, user_id)
);

CREATE TABLE pins (
    conversation_id BIGINT NOT NULL,
    target BIGINT NOT NULL,
    PRIMARY KEY (conversation_id, target)
);

CREATE TABLE mentions (
    user_id BIGINT NOT NULL,
    conversation_id BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    PRIMARY KEY (user_id, conversation_id, seq)
);
CREATE INDEX mentions_place ON mentions (conversation_id, seq);

CREATE TABLE invites (
    code TEXT COLLATE "C" PRIMARY KEY,
    conversation_id BIGINT NOT NULL,
    creator BIGINT NOT NULL,
    -- Names it for retries of its creation.
    nonce TEXT COLLATE "C",
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    max_uses BIGINT,
    uses BIGINT NOT NULL,
    revoked SMALLINT NOT NULL
);
CREATE INDEX invites_conversation ON invites (conversation_id, created_at);
CREATE UNIQUE INDEX invites_nonce ON invites (conversation_id, creator, nonce) WHERE nonce IS NOT NULL;

-- Being contacts is mutual: a row for each of the two, so that either list is one range.
CREATE TABLE contacts (
    user_id BIGINT NOT NULL REFERENCES users (id),
    contact_id BIGINT NOT NULL REFERENCES users (id),
    created_at BIGINT NOT NULL,
    PRIMARY KEY (user_id, contact_id)
);

CREATE TABLE contact_requests (
    requester BIGINT NOT NULL REFERENCES users (id),
    recipient BIGINT NOT NULL REFERENCES users (id),
    -- 1 waits; 2 was declined, of which the requester is not told; 3 was declined and then withdrawn: kept, so that
    -- asking anew does not reach who declined.
    state SMALLINT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (requester, recipient)
);
CREATE INDEX contact_requests_recipient ON contact_requests (recipient, requester);

CREATE TABLE blocks (
    user_id BIGINT NOT NULL REFERENCES users (id),
    blocked_id BIGINT NOT NULL REFERENCES users (id),
    created_at BIGINT NOT NULL,
    PRIMARY KEY (user_id, blocked_id)
);
CREATE INDEX blocks_blocked ON blocks (blocked_id);

-- How far retention has erased; no row while nowhere. Apart from `heads`, which every append writes.
CREATE TABLE retention_horizons (
    conversation_id BIGINT PRIMARY KEY,
    erased_to BIGINT NOT NULL,
    expired_to BIGINT NOT NULL
);

-- How far each worker has tailed the log.
CREATE TABLE worker_cursors (
    worker TEXT COLLATE "C" PRIMARY KEY,
    pos BIGINT NOT NULL
);

CREATE TABLE jobs (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind TEXT COLLATE "C" NOT NULL,
    key TEXT COLLATE "C" NOT NULL,
    -- What the handler keeps between its turns.
    payload TEXT NOT NULL,
    -- 1 waiting, 2 running, 3 dead.
    state SMALLINT NOT NULL,
    -- When it may be claimed: its time, or the end of its lease; when it died.
    due_at BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    -- How often it was claimed: the newest claim alone may settle it.
    claims BIGINT NOT NULL,
    -- While it runs: when it was enqueued for meanwhile.
    again_at BIGINT,
    error TEXT,
    created_at BIGINT NOT NULL,
    UNIQUE (kind, key)
);
CREATE INDEX jobs_due ON jobs (due_at) WHERE state <> 3;

-- Erasures too large for one transaction: done in slices, taken up again at the next start.
CREATE TABLE unfinished (
    task BIGINT NOT NULL,
    subject BIGINT NOT NULL,
    PRIMARY KEY (task, subject)
);

-- One row an act of an operator, written before it is done.
CREATE TABLE audit_acts (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    ts BIGINT NOT NULL,
    actor TEXT NOT NULL,
    act TEXT NOT NULL,
    subject TEXT NOT NULL,
    detail TEXT NOT NULL
);

-- How it ended; none where it was interrupted.
CREATE TABLE audit_outcomes (
    act_id BIGINT PRIMARY KEY REFERENCES audit_acts (id),
    ts BIGINT NOT NULL,
    outcome TEXT NOT NULL
);

-- The record is only ever added to.
CREATE FUNCTION refuse_change() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the record stays';
END $$;
CREATE TRIGGER audit_acts_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_acts
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER audit_outcomes_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_outcomes
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
