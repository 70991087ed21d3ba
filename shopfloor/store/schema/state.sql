-- What the assistant did and what people said of it.
CREATE TABLE turns (
    trace_id TEXT PRIMARY KEY,             -- 32 hex digits, the OpenTelemetry trace id where there is one
    thread_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    created_at TEXT NOT NULL,
    door TEXT NOT NULL,                    -- ask, rest, openai, mcp, cli, langserve, ...
    text TEXT NOT NULL,
    route TEXT,
    decided_by TEXT,                       -- gemini, local, rules, caller
    confidence REAL,
    reply TEXT,                            -- NULL until answered
    status TEXT NOT NULL,                  -- started, answered, failed, cancelled
    degraded INTEGER NOT NULL DEFAULT 0,
    timings_ms TEXT NOT NULL DEFAULT '{}',
    usage TEXT NOT NULL DEFAULT '{}'       -- tokens by model
) STRICT;
CREATE INDEX turns_thread ON turns (thread_id, created_at);
CREATE INDEX turns_user ON turns (user_id, created_at);

-- One row an agent's answer; its id is the recommendation_id that feedback names.
CREATE TABLE answers (
    answer_id TEXT PRIMARY KEY,
    trace_id TEXT NOT NULL REFERENCES turns (trace_id) ON DELETE CASCADE,
    agent TEXT NOT NULL,
    user_id TEXT NOT NULL,
    created_at TEXT NOT NULL,
    request TEXT NOT NULL,                 -- JSON: what the agent was asked, parsed
    prompt TEXT,                           -- what the local model saw
    candidates TEXT NOT NULL DEFAULT '[]', -- JSON: [{sku, score, signals}]
    answer TEXT NOT NULL,
    result TEXT NOT NULL DEFAULT '{}',     -- JSON: the structured answer
    model TEXT NOT NULL DEFAULT '{}',      -- JSON: name, hash, adapter, profile, runtime
    tokens INTEGER NOT NULL DEFAULT 0,
    timings_ms TEXT NOT NULL DEFAULT '{}'
) STRICT;
CREATE INDEX answers_trace ON answers (trace_id);

CREATE TABLE shown (
    answer_id TEXT NOT NULL REFERENCES answers (answer_id) ON DELETE CASCADE,
    position INTEGER NOT NULL,             -- from 1, as the shopper saw it
    sku TEXT NOT NULL,
    user_id TEXT NOT NULL,
    score REAL NOT NULL,
    PRIMARY KEY (answer_id, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX shown_user_sku ON shown (user_id, sku);

CREATE TABLE feedback (
    feedback_id TEXT PRIMARY KEY,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    user_id TEXT,
    agent TEXT NOT NULL,
    trace_id TEXT,
    answer_id TEXT,
    sku TEXT,
    position INTEGER,
    rating INTEGER CHECK (rating BETWEEN 1 AND 5),
    action TEXT CHECK (action IN ('clicked', 'purchased', 'ignored', 'returned')),
    correction TEXT,                       -- JSON: a string or an object
    comment TEXT,
    idempotency_key TEXT UNIQUE,
    source TEXT NOT NULL DEFAULT 'api'
) STRICT;
CREATE INDEX feedback_answer ON feedback (answer_id, sku, user_id);
CREATE INDEX feedback_agent ON feedback (agent, created_at);
CREATE INDEX feedback_user ON feedback (user_id, created_at);

-- Who may use a conversation: the first user of a thread owns it.
CREATE TABLE threads (
    thread_id TEXT PRIMARY KEY,
    user_id TEXT NOT NULL,
    created_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;
