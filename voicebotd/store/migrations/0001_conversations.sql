-- Conversations and what was said in them. Times are seconds since the Unix epoch, UTC.

-- `sequence` is the order of arrival: a box without a clock battery may start a later conversation at an earlier time.
CREATE TABLE conversations (
    sequence        INTEGER PRIMARY KEY AUTOINCREMENT,
    conversation_id TEXT NOT NULL UNIQUE,
    source          TEXT NOT NULL,
    provider        TEXT NOT NULL,
    model           TEXT NOT NULL,
    started_at      REAL,
    ended_at        REAL,
    end_reason      TEXT NOT NULL
);

CREATE TABLE turns (
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
    PRIMARY KEY (conversation_id, item_id)
) WITHOUT ROWID;

CREATE INDEX turns_in_order ON turns (conversation_id, number);
