-- What a purge has begun and not finished: written with its first deletion, removed after its last step, so that a
-- daemon that is killed in between finishes it in its next life.
CREATE TABLE unfinished (
    work TEXT PRIMARY KEY
) WITHOUT ROWID;
