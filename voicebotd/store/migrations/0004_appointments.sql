-- Appointments, and what each function call did to them. Times are whole seconds since the Unix epoch, UTC.

-- Nothing here refers to the history: what was said is forgotten after a while, an appointment is not.
CREATE TABLE appointments (
    appointment_id TEXT PRIMARY KEY,
    code           TEXT NOT NULL,
    service        TEXT NOT NULL,
    name           TEXT NOT NULL,
    starts_at      INTEGER NOT NULL CHECK (typeof(starts_at) = 'integer'),
    ends_at        INTEGER NOT NULL CHECK (typeof(ends_at) = 'integer'),
    zone           TEXT NOT NULL,
    status         TEXT NOT NULL CHECK (status IN ('booked', 'cancelled')),
    created_at     INTEGER NOT NULL,
    changed_at     INTEGER NOT NULL,
    -- A day at most, so that whoever overlaps is found among those that begin within a day.
    CHECK (starts_at < ends_at AND ends_at <= starts_at + 86400)
) WITHOUT ROWID;

CREATE INDEX appointments_in_order ON appointments (starts_at);
CREATE INDEX appointments_with_code ON appointments (code);

-- No two booked appointments overlap. SQLite has no exclusion constraint; a trigger sees the rows themselves, where a
-- second table of taken grid cells could fall out of step with them and with the configured grid. It holds for every
-- program that writes this file, and between processes, because one transaction writes at a time and sees what the one
-- before it committed.
CREATE TRIGGER no_appointment_overlaps_when_made BEFORE INSERT ON appointments
WHEN NEW.status = 'booked' AND EXISTS (
    SELECT 1 FROM appointments
    WHERE starts_at > NEW.starts_at - 86400 AND starts_at < NEW.ends_at AND ends_at > NEW.starts_at
      AND status = 'booked' AND appointment_id <> NEW.appointment_id
)
BEGIN SELECT RAISE(ABORT, 'appointments overlap'); END;

CREATE TRIGGER no_appointment_overlaps_when_changed BEFORE UPDATE OF starts_at, ends_at, status ON appointments
WHEN NEW.status = 'booked' AND EXISTS (
    SELECT 1 FROM appointments
    WHERE starts_at > NEW.starts_at - 86400 AND starts_at < NEW.ends_at AND ends_at > NEW.starts_at
      AND status = 'booked' AND appointment_id <> OLD.appointment_id
)
BEGIN SELECT RAISE(ABORT, 'appointments overlap'); END;

-- A call that comes twice finds here what it did the first time.
CREATE TABLE appointment_changes (
    conversation_id TEXT NOT NULL,
    call_id         TEXT NOT NULL,
    appointment_id  TEXT NOT NULL REFERENCES appointments (appointment_id) ON DELETE CASCADE,
    action          TEXT NOT NULL CHECK (action IN ('booked', 'moved', 'cancelled')),
    starts_at       INTEGER NOT NULL,
    ends_at         INTEGER NOT NULL,
    was_at          INTEGER NOT NULL,
    changed_at      INTEGER NOT NULL,
    PRIMARY KEY (conversation_id, call_id)
) WITHOUT ROWID;

CREATE INDEX changes_of_appointment ON appointment_changes (appointment_id);
