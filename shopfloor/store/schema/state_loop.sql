-- The improvement loop: what was learned from, each run with its steps, and the cases that feedback gave the gate.
CREATE TABLE datasets (
    hash TEXT PRIMARY KEY,                 -- of the rows, their split and their labels
    agent TEXT NOT NULL,
    created_at TEXT NOT NULL,
    folder TEXT NOT NULL,                  -- inside the data folder
    rows INTEGER NOT NULL,
    card TEXT NOT NULL,                    -- JSON
    erased_at TEXT                         -- when its files went because somebody was forgotten
) STRICT, WITHOUT ROWID;
CREATE INDEX datasets_agent ON datasets (agent, created_at);

-- Which reaction or turn each row came from: the way back from an artefact to what people said.
CREATE TABLE dataset_sources (
    dataset_hash TEXT NOT NULL REFERENCES datasets (hash) ON DELETE CASCADE,
    row_no INTEGER NOT NULL,
    trace_id TEXT NOT NULL,
    feedback_id TEXT NOT NULL,             -- '' where the turn alone is the source
    user_id TEXT NOT NULL,                 -- '' where the user gave no name
    PRIMARY KEY (dataset_hash, row_no, trace_id, feedback_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX dataset_sources_user ON dataset_sources (user_id);
CREATE INDEX dataset_sources_feedback ON dataset_sources (feedback_id);

CREATE TABLE training_runs (
    run_id TEXT PRIMARY KEY,               -- of dataset, recipe, seed and champion: the same work has the same id
    agent TEXT NOT NULL,
    dataset_hash TEXT NOT NULL,
    champion TEXT NOT NULL,                -- hash of the artefact it has to beat
    recipe TEXT NOT NULL DEFAULT '{}',     -- JSON
    seed INTEGER NOT NULL,
    started_by TEXT NOT NULL,              -- command, automatic, forget
    status TEXT NOT NULL,                  -- running, promoted, rejected, not_enough_evidence, failed, erased
    artefact TEXT,                         -- hash of what was trained
    error TEXT,
    seconds REAL,
    peak_mb REAL,
    started_at TEXT NOT NULL,
    finished_at TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX training_runs_agent ON training_runs (agent, started_at);

-- A step that is here is done: a run that was killed goes on behind it.
CREATE TABLE training_steps (
    run_id TEXT NOT NULL REFERENCES training_runs (run_id) ON DELETE CASCADE,
    step TEXT NOT NULL,
    finished_at TEXT NOT NULL,
    result TEXT NOT NULL,                  -- JSON
    PRIMARY KEY (run_id, step)
) STRICT, WITHOUT ROWID;

-- Cases from feedback that the owner has verified; never trained on.
CREATE TABLE gate_cases (
    case_id TEXT PRIMARY KEY,
    agent TEXT NOT NULL,
    feedback_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    created_at TEXT NOT NULL,
    body TEXT NOT NULL                     -- JSON
) STRICT, WITHOUT ROWID;
CREATE INDEX gate_cases_user ON gate_cases (user_id);
