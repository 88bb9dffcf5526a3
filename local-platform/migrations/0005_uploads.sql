-- Resumable uploads. How far one has got is the length of its file and nothing else, so that no row can say more than the disk.

CREATE TABLE uploads (
    seq             INTEGER PRIMARY KEY AUTOINCREMENT,
    id              TEXT NOT NULL UNIQUE,
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    -- In bytes; unknown until the client says it.
    length          INTEGER,
    is_partial      INTEGER NOT NULL DEFAULT 0,
    -- Of a final upload: the ids of its parts, in order, separated by spaces.
    parts           TEXT,
    -- Upload-Metadata as it was sent.
    metadata        TEXT NOT NULL,
    -- Of a part: the final upload that took it.
    final_id        TEXT,
    asset_id        TEXT,
    -- Where a chunk with a checksum begins while it is not verified: a start cuts the file there.
    chunk_start     INTEGER,
    expires_at      TEXT NOT NULL,
    -- Terminated or expired: known, but not there any more.
    is_gone         INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE UNIQUE INDEX uploads_finals ON uploads (organization_id, parts) WHERE parts IS NOT NULL AND is_gone = 0;
CREATE INDEX uploads_expiry ON uploads (expires_at);
