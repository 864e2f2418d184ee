-- What the model called, and what was used and what it cost.

CREATE TABLE tool_calls (
    sequence        INTEGER PRIMARY KEY,
    conversation_id TEXT NOT NULL REFERENCES conversations (conversation_id) ON DELETE CASCADE,
    call_id         TEXT NOT NULL,
    name            TEXT NOT NULL,
    arguments       TEXT NOT NULL,
    output          TEXT NOT NULL,
    status          TEXT NOT NULL,
    response_id     TEXT NOT NULL,
    duration_ms     INTEGER NOT NULL,
    started_at      REAL,
    ended_at        REAL,
    UNIQUE (conversation_id, call_id)
);

-- Usage belongs to a day before it belongs to a conversation: what a purged conversation cost was spent all the same,
-- and is counted where no history is kept. So it references nothing.
CREATE TABLE usage (
    sequence        INTEGER PRIMARY KEY,
    conversation_id TEXT NOT NULL,
    source_id       TEXT NOT NULL,
    kind            TEXT NOT NULL,
    model           TEXT NOT NULL,
    input_text      INTEGER NOT NULL,
    input_audio     INTEGER NOT NULL,
    cached_text     INTEGER NOT NULL,
    cached_audio    INTEGER NOT NULL,
    output_text     INTEGER NOT NULL,
    output_audio    INTEGER NOT NULL,
    audio_s         REAL NOT NULL,
    usd             REAL NOT NULL,
    started_at      REAL,
    UNIQUE (conversation_id, source_id)
);

-- What was spent since a moment is summed from the index alone, before every conversation.
CREATE INDEX usage_by_time ON usage (started_at, usd);
