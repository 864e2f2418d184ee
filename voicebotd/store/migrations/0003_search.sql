-- Turns get a number of their own, in the order of arrival, that the index of their words can refer to.
CREATE TABLE turns_numbered (
    turn_id         INTEGER PRIMARY KEY,
    conversation_id TEXT NOT NULL REFERENCES conversations (conversation_id) ON DELETE CASCADE,
    item_id         TEXT NOT NULL,
    number          INTEGER NOT NULL,
    role            TEXT NOT NULL,
    generated_text  TEXT NOT NULL,
    heard_text      TEXT NOT NULL,
    audio_ms        INTEGER NOT NULL,
    heard_ms        INTEGER NOT NULL,
    interrupted     INTEGER NOT NULL CHECK (interrupted IN (0, 1)),
    status          TEXT NOT NULL,
    response_id     TEXT NOT NULL,
    started_at      REAL,
    ended_at        REAL,
    UNIQUE (conversation_id, item_id)
);

INSERT INTO turns_numbered (
    conversation_id, item_id, number, role, generated_text, heard_text, audio_ms, heard_ms, interrupted, status,
    response_id, started_at, ended_at
)
SELECT
    conversation_id, item_id, number, role, generated_text, heard_text, audio_ms, heard_ms, interrupted, status,
    response_id, turns.started_at, turns.ended_at
FROM turns JOIN conversations USING (conversation_id) ORDER BY sequence, number;

DROP TABLE turns;
ALTER TABLE turns_numbered RENAME TO turns;

CREATE INDEX turns_in_order ON turns (conversation_id, number);

-- What is too old is found by its time: a box that never stops has one conversation for months.
CREATE INDEX turns_by_time ON turns (started_at);
CREATE INDEX tool_calls_by_time ON tool_calls (started_at);

-- The words of the turns; the text itself stays where it is (external content). Beginnings of up to four letters are
-- indexed too, since those have the most words to merge.
CREATE VIRTUAL TABLE turn_words USING fts5 (
    generated_text, content = 'turns', content_rowid = 'turn_id', tokenize = 'unicode61 remove_diacritics 2',
    prefix = '1 2 3 4'
);

INSERT INTO turn_words (turn_words) VALUES ('rebuild');

-- The index must be told exactly what was in it before it is taken out, and a turn is written several times.
CREATE TRIGGER turn_words_added AFTER INSERT ON turns BEGIN
    INSERT INTO turn_words (rowid, generated_text) VALUES (new.turn_id, new.generated_text);
END;

CREATE TRIGGER turn_words_removed AFTER DELETE ON turns BEGIN
    INSERT INTO turn_words (turn_words, rowid, generated_text) VALUES ('delete', old.turn_id, old.generated_text);
END;

CREATE TRIGGER turn_words_changed AFTER UPDATE OF turn_id, generated_text ON turns
WHEN old.turn_id <> new.turn_id OR old.generated_text <> new.generated_text
BEGIN
    INSERT INTO turn_words (turn_words, rowid, generated_text) VALUES ('delete', old.turn_id, old.generated_text);
    INSERT INTO turn_words (rowid, generated_text) VALUES (new.turn_id, new.generated_text);
END;
