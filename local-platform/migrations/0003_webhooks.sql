-- Webhooks and what was sent to them. A delivery is one attempt; while `due_at` is set it is still to be made, and it
-- is cleared with the transaction that writes its outcome, so that a crash in between repeats it and never loses it.

CREATE TABLE webhooks (
    seq             INTEGER PRIMARY KEY AUTOINCREMENT,
    id              TEXT NOT NULL UNIQUE,
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    -- Whose header carries the signature, and whether payloads repeat their main fields at the top.
    dialect         TEXT NOT NULL,
    doc             TEXT NOT NULL
) STRICT;
CREATE INDEX webhooks_newest ON webhooks (organization_id, doc ->> 'created_at', seq);

-- The encrypted secrets of each webhook: the current one, and those before it until `valid_until`.
CREATE TABLE webhook_secrets (
    seq         INTEGER PRIMARY KEY AUTOINCREMENT,
    webhook_id  TEXT NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
    sealed      BLOB NOT NULL,
    valid_until TEXT
) STRICT;
CREATE INDEX webhook_secrets_newest ON webhook_secrets (webhook_id, seq);

CREATE TABLE deliveries (
    seq             INTEGER PRIMARY KEY AUTOINCREMENT,
    id              TEXT NOT NULL UNIQUE,
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    webhook_id      TEXT NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
    -- The first attempt of the same trigger: an event for a webhook, or a redelivery.
    trigger_id      TEXT NOT NULL,
    due_at          TEXT,
    doc             TEXT NOT NULL
) STRICT;
CREATE INDEX deliveries_newest ON deliveries (webhook_id, doc ->> 'created_at', seq);
CREATE INDEX deliveries_due ON deliveries (webhook_id, due_at, seq) WHERE due_at IS NOT NULL;
