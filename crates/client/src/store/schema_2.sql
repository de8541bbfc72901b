-- Version 2: messages are found by their words.
-- `words` is what `loquat_engine::store::search::words` makes of a message's text of now.
CREATE TABLE searchable (
    id           INTEGER PRIMARY KEY,
    conversation INTEGER NOT NULL,
    seq          INTEGER NOT NULL,
    ts           INTEGER NOT NULL,
    words        TEXT NOT NULL
);

CREATE UNIQUE INDEX searchable_by_message ON searchable (conversation, seq);

CREATE VIRTUAL TABLE word_index USING fts5 (
    words, content = 'searchable', content_rowid = 'id', prefix = '2 3',
    tokenize = "unicode61 remove_diacritics 2 categories 'L* N* Co Mn Mc'"
);

-- Erased words leave the index, too, and not only its answers.
INSERT INTO word_index (word_index, rank) VALUES ('secure-delete', 1);

CREATE TRIGGER searchable_added AFTER INSERT ON searchable BEGIN
    INSERT INTO word_index (rowid, words) VALUES (new.id, new.words);
END;

CREATE TRIGGER searchable_removed AFTER DELETE ON searchable BEGIN
    INSERT INTO word_index (word_index, rowid, words) VALUES ('delete', old.id, old.words);
END;
