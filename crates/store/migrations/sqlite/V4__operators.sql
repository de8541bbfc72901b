-- What operators do: accounts shut out, and the record of their acts.

-- Since when an operator shut the account out; NULL while it may sign in.
ALTER TABLE users ADD COLUMN disabled_at INTEGER;

-- One row an act, written before it is done.
CREATE TABLE audit_acts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    ts INTEGER NOT NULL,
    actor TEXT NOT NULL,
    act TEXT NOT NULL,
    subject TEXT NOT NULL,
    detail TEXT NOT NULL
) STRICT;

-- How it ended; none where it was interrupted.
CREATE TABLE audit_outcomes (
    act_id INTEGER PRIMARY KEY REFERENCES audit_acts (id),
    ts INTEGER NOT NULL,
    outcome TEXT NOT NULL
) STRICT;

-- The record is only ever added to.
CREATE TRIGGER audit_acts_stay BEFORE UPDATE ON audit_acts BEGIN SELECT RAISE (ABORT, 'the record stays'); END;
CREATE TRIGGER audit_acts_remain BEFORE DELETE ON audit_acts BEGIN SELECT RAISE (ABORT, 'the record stays'); END;
CREATE TRIGGER audit_outcomes_stay BEFORE UPDATE ON audit_outcomes BEGIN SELECT RAISE (ABORT, 'the record stays'); END;
CREATE TRIGGER audit_outcomes_remain BEFORE DELETE ON audit_outcomes BEGIN SELECT RAISE (ABORT, 'the record stays'); END;
