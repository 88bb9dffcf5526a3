-- Files and the work done on them.

CREATE TABLE assets (
    seq             INTEGER PRIMARY KEY AUTOINCREMENT,
    id              TEXT NOT NULL UNIQUE,
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    -- What a download is called.
    file_name       TEXT NOT NULL,
    doc             TEXT NOT NULL
) STRICT;
CREATE INDEX assets_newest ON assets (organization_id, doc ->> 'created_at', seq);

CREATE TABLE jobs (
    seq             INTEGER PRIMARY KEY AUTOINCREMENT,
    id              TEXT NOT NULL UNIQUE,
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    -- How often it was begun: a run that a stop cut off is made again.
    run             INTEGER NOT NULL DEFAULT 0,
    doc             TEXT NOT NULL
) STRICT;
CREATE INDEX jobs_newest ON jobs (organization_id, doc ->> 'created_at', seq);
CREATE INDEX jobs_unfinished ON jobs (seq) WHERE doc ->> 'status' IN ('queued', 'processing');

-- The progress that was told of each run, for event streams that are taken up again.
CREATE TABLE job_progress (
    job_id   TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    run      INTEGER NOT NULL,
    progress INTEGER NOT NULL,
    at       TEXT NOT NULL,
    PRIMARY KEY (job_id, run, progress)
) STRICT, WITHOUT ROWID;
CREATE INDEX job_progress_oldest ON job_progress (at);
