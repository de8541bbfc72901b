-- Invitations, who is barred, and when members last sent.

CREATE TABLE invites (
    code TEXT PRIMARY KEY,
    conversation_id INTEGER NOT NULL,
    creator INTEGER NOT NULL,
    -- Names it for retries of its creation.
    nonce TEXT,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    max_uses INTEGER,
    uses INTEGER NOT NULL,
    revoked INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX invites_conversation ON invites (conversation_id, created_at);
CREATE UNIQUE INDEX invites_nonce ON invites (conversation_id, creator, nonce) WHERE nonce IS NOT NULL;

-- Whether the former member was removed: no invitation lets them in again.
ALTER TABLE former_members ADD COLUMN barred INTEGER NOT NULL DEFAULT 0;
-- When they last sent a message: leaving and coming back does not outwit the slow mode.
ALTER TABLE former_members ADD COLUMN last_sent INTEGER;
-- When the member last sent a message: for the slow mode.
ALTER TABLE cursors ADD COLUMN last_sent INTEGER;
