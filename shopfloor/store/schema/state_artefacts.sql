-- What was learned: LoRA adapters, heads, fusion weights. The files lie in DATA/artefacts/HASH.
CREATE TABLE artefacts (
    hash TEXT PRIMARY KEY,                 -- SHA-256 of the folder's manifest.json, which names every file's own
    agent TEXT NOT NULL,                   -- recommendation, inventory, router, ...
    kind TEXT NOT NULL CHECK (kind IN ('lora', 'head', 'fusion')),
    state TEXT NOT NULL CHECK (state IN ('candidate', 'challenger', 'champion', 'retired')),
    pinned INTEGER NOT NULL DEFAULT 0,     -- a pinned champion is replaced by nobody until it is unpinned
    source_hash TEXT NOT NULL DEFAULT '',  -- the original weights it belongs to
    parent TEXT,                           -- what its training started from
    metrics TEXT NOT NULL DEFAULT '{}',    -- JSON object of numbers
    created_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX artefacts_champion ON artefacts (agent, kind) WHERE state = 'champion';
CREATE UNIQUE INDEX artefacts_challenger ON artefacts (agent, kind) WHERE state = 'challenger';

-- Every decision, in order. The last number tells a running process that something changed.
CREATE TABLE artefact_changes (
    change_no INTEGER PRIMARY KEY AUTOINCREMENT,
    at TEXT NOT NULL,
    action TEXT NOT NULL CHECK (action IN ('add', 'candidate', 'challenger', 'activate', 'rollback', 'retire', 'pin', 'unpin')),
    hash TEXT NOT NULL,                    -- what it was done to; of a rollback, what was taken back
    agent TEXT NOT NULL,
    kind TEXT NOT NULL,
    champion TEXT,                         -- the champion of this agent and kind from then on
    reason TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX artefact_changes_agent ON artefact_changes (agent, kind, change_no);
