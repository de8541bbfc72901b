-- Members of channels come and go without an event: what names such a change for retries, and its first result.
CREATE TABLE unlogged_nonces (
    conversation_id INTEGER NOT NULL,
    sender INTEGER NOT NULL,
    nonce TEXT NOT NULL,
    -- The head when it was done.
    seq INTEGER NOT NULL,
    ts INTEGER NOT NULL,
    PRIMARY KEY (conversation_id, sender, nonce)
) STRICT, WITHOUT ROWID;
