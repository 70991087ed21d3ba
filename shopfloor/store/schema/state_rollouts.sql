-- What is tried on a share of the users before it serves everybody.
CREATE TABLE rollouts (
    rollout_id TEXT PRIMARY KEY,
    agent TEXT NOT NULL,
    kind TEXT NOT NULL,
    artefact TEXT NOT NULL,                -- the challenger
    champion TEXT,                         -- what it is compared with; NULL: what came with the package
    dataset_hash TEXT NOT NULL DEFAULT '', -- what it was trained on
    salt TEXT NOT NULL,                    -- key of the hash that says who gets it
    stages TEXT NOT NULL,                  -- JSON: shares in percent, in order
    stage INTEGER NOT NULL DEFAULT 0,      -- which of them is on now
    status TEXT NOT NULL CHECK (status IN ('running', 'finished', 'rolled_back', 'stopped')),
    started_at TEXT NOT NULL,
    stage_at TEXT NOT NULL,                -- since when this share is on
    ended_at TEXT,
    reason TEXT NOT NULL DEFAULT ''        -- of the latest decision
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX rollouts_running ON rollouts (agent, kind) WHERE status = 'running';

-- Which side decided a turn; only while something is tried.
CREATE TABLE rollout_turns (
    trace_id TEXT PRIMARY KEY REFERENCES turns (trace_id) ON DELETE CASCADE,
    rollout_id TEXT NOT NULL,
    stage INTEGER NOT NULL,
    side TEXT NOT NULL CHECK (side IN ('champion', 'challenger')),
    artefact TEXT NOT NULL                 -- what decided; '' where it came with the package
) STRICT, WITHOUT ROWID;
CREATE INDEX rollout_turns_rollout ON rollout_turns (rollout_id, stage);

CREATE INDEX feedback_trace ON feedback (trace_id);

-- Decisions have a further action (another share of the users) and the numbers they rest on.
ALTER TABLE artefact_changes RENAME TO artefact_changes_before;
CREATE TABLE artefact_changes (
    change_no INTEGER PRIMARY KEY AUTOINCREMENT,
    at TEXT NOT NULL,
    action TEXT NOT NULL CHECK (action IN ('add', 'candidate', 'challenger', 'share', 'activate', 'rollback', 'retire', 'hold', 'pin', 'unpin')),
    hash TEXT NOT NULL,                    -- what it was done to; of a rollback, what was taken back
    agent TEXT NOT NULL,
    kind TEXT NOT NULL,
    champion TEXT,                         -- the champion of this agent and kind from then on
    reason TEXT NOT NULL DEFAULT '',
    numbers TEXT NOT NULL DEFAULT '{}'     -- JSON: what the decision rests on
) STRICT;
INSERT INTO artefact_changes (change_no, at, action, hash, agent, kind, champion, reason)
    SELECT change_no, at, action, hash, agent, kind, champion, reason FROM artefact_changes_before;
DROP TABLE artefact_changes_before;
CREATE INDEX artefact_changes_agent ON artefact_changes (agent, kind, change_no);
