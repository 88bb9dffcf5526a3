-- Texts of rotated keys that are still valid for a while.
CREATE TABLE key_graces (
    hash        BLOB PRIMARY KEY,
    key_id      TEXT NOT NULL REFERENCES api_keys (id),
    valid_until TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE oauth_clients (
    id              TEXT PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    user_id         TEXT NOT NULL REFERENCES users (id),
    name            TEXT NOT NULL,
    -- Absent: a public client.
    secret_hash     BLOB,
    -- JSON lists.
    redirect_uris   TEXT NOT NULL,
    scopes          TEXT NOT NULL,
    created_at      TEXT NOT NULL
) STRICT;

CREATE TABLE oauth_codes (
    hash         BLOB PRIMARY KEY,
    client_id    TEXT NOT NULL REFERENCES oauth_clients (id),
    redirect_uri TEXT NOT NULL,
    challenge    TEXT NOT NULL,
    scopes       TEXT NOT NULL,
    -- The tokens that came of it, which end when it is used twice (RFC 6749, 4.1.2).
    family       TEXT NOT NULL,
    expires_at   TEXT NOT NULL,
    used         INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

CREATE TABLE oauth_tokens (
    hash       BLOB PRIMARY KEY,
    is_refresh INTEGER NOT NULL,
    family     TEXT NOT NULL,
    client_id  TEXT NOT NULL REFERENCES oauth_clients (id),
    scopes     TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    used       INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE INDEX oauth_tokens_family ON oauth_tokens (family);
