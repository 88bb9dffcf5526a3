-- What every part stands on. A resource is one JSON document, exactly as it is sent, beside the columns that the
-- server itself looks by; `seq` is the order of creation and breaks ties between equal times.

CREATE TABLE organizations (
    id         TEXT PRIMARY KEY,
    name       TEXT NOT NULL,
    created_at TEXT NOT NULL
) STRICT;

CREATE TABLE users (
    id              TEXT PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    created_at      TEXT NOT NULL
) STRICT;

CREATE TABLE projects (
    seq             INTEGER PRIMARY KEY AUTOINCREMENT,
    id              TEXT NOT NULL UNIQUE,
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    doc             TEXT NOT NULL
) STRICT;
CREATE INDEX projects_newest ON projects (organization_id, doc ->> 'created_at', seq);

-- Of a key's text only the SHA-256 is kept; `sealed` holds the text, encrypted, where it must sign (allow_jwt) or be
-- shown again at the next start (the first key of a local platform).
CREATE TABLE api_keys (
    seq             INTEGER PRIMARY KEY AUTOINCREMENT,
    id              TEXT NOT NULL UNIQUE,
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    user_id         TEXT NOT NULL REFERENCES users (id),
    hash            BLOB NOT NULL UNIQUE,
    sealed          BLOB,
    -- 1: the first key of the platform; 2: the first one of another organization; 0: made over HTTP.
    is_first        INTEGER NOT NULL DEFAULT 0,
    doc             TEXT NOT NULL
) STRICT;
CREATE INDEX api_keys_newest ON api_keys (organization_id, doc ->> 'created_at', seq);

CREATE TABLE key_usage (
    key_id      TEXT NOT NULL REFERENCES api_keys (id),
    day         TEXT NOT NULL,
    endpoint    TEXT NOT NULL,
    requests    INTEGER NOT NULL,
    failed      INTEGER NOT NULL,
    duration_us INTEGER NOT NULL,
    PRIMARY KEY (key_id, day, endpoint)
) STRICT, WITHOUT ROWID;

CREATE TABLE audit_log (
    seq             INTEGER PRIMARY KEY AUTOINCREMENT,
    id              TEXT NOT NULL UNIQUE,
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    doc             TEXT NOT NULL
) STRICT;
CREATE INDEX audit_log_newest ON audit_log (organization_id, doc ->> 'created_at', seq);

-- What happened, whether delivered or not.
CREATE TABLE events (
    seq             INTEGER PRIMARY KEY AUTOINCREMENT,
    id              TEXT NOT NULL UNIQUE,
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    doc             TEXT NOT NULL
) STRICT;
CREATE INDEX events_newest ON events (organization_id, doc ->> 'timestamp', seq);

-- The first answer to each Idempotency-Key, encrypted because it may hold a secret that is shown once.
CREATE TABLE idempotency (
    owner       TEXT NOT NULL,
    key         TEXT NOT NULL,
    fingerprint BLOB NOT NULL,
    status      INTEGER NOT NULL,
    sealed_body BLOB NOT NULL,
    created_at  TEXT NOT NULL,
    PRIMARY KEY (owner, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_oldest ON idempotency (created_at);
