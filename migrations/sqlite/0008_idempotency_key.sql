-- What was made under a client's key (`Idempotency-Key`), written in the transaction that makes it: who asks again gets that, and makes
-- nothing anew. Kept for a day, also when the object is gone sooner.
CREATE TABLE idempotency_key (
    principal  TEXT    NOT NULL,
    route      TEXT    NOT NULL, -- method and path
    key        TEXT    NOT NULL,
    body_hash  BLOB    NOT NULL CONSTRAINT idempotency_key_body_hash CHECK (length(body_hash) = 32), -- of what was to be made
    object_id  TEXT    NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (principal, route, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_key_expires_at ON idempotency_key (expires_at);
