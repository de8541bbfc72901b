-- Contacts, requests for contact, blocks.

-- Being contacts is mutual: a row for each of the two, so that either list is one range.
CREATE TABLE contacts (
    user_id INTEGER NOT NULL REFERENCES users (id),
    contact_id INTEGER NOT NULL REFERENCES users (id),
    created_at INTEGER NOT NULL,
    PRIMARY KEY (user_id, contact_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE contact_requests (
    requester INTEGER NOT NULL REFERENCES users (id),
    recipient INTEGER NOT NULL REFERENCES users (id),
    -- 1 waits; 2 was declined, of which the requester is not told; 3 was declined and then withdrawn: kept, so that
    -- asking anew does not reach who declined.
    state INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (requester, recipient)
) STRICT, WITHOUT ROWID;
CREATE INDEX contact_requests_recipient ON contact_requests (recipient, requester);

CREATE TABLE blocks (
    user_id INTEGER NOT NULL REFERENCES users (id),
    blocked_id INTEGER NOT NULL REFERENCES users (id),
    created_at INTEGER NOT NULL,
    PRIMARY KEY (user_id, blocked_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX blocks_blocked ON blocks (blocked_id);
