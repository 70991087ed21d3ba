-- Every idempotency key a user has sent: a retry finds its reaction, also after a later one was merged into it.
CREATE TABLE feedback_keys (
    user_id TEXT NOT NULL,                 -- '' where the user gave no name
    idempotency_key TEXT NOT NULL,
    feedback_id TEXT NOT NULL REFERENCES feedback (feedback_id) ON DELETE CASCADE,
    PRIMARY KEY (user_id, idempotency_key)
) STRICT, WITHOUT ROWID;
CREATE INDEX feedback_keys_feedback ON feedback_keys (feedback_id);
