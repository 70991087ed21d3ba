-- That somebody was forgotten, and when; never who. A running service empties its memory when the number grows.
CREATE TABLE forgettings (
    forget_no INTEGER PRIMARY KEY AUTOINCREMENT,
    at TEXT NOT NULL
) STRICT;

-- What the owner made of corrections, in order; of several about one, the last counts, and only for the correction it was
-- about (digest): a shopper who says something else afterwards is not verified.
CREATE TABLE feedback_reviews (
    review_no INTEGER PRIMARY KEY AUTOINCREMENT,
    at TEXT NOT NULL,
    feedback_id TEXT NOT NULL REFERENCES feedback (feedback_id) ON DELETE CASCADE,
    verdict TEXT NOT NULL CHECK (verdict IN ('accepted', 'refused')),
    digest TEXT NOT NULL,                  -- SHA-256 of the correction, as it was seen
    by TEXT NOT NULL                       -- dashboard, command
) STRICT;
CREATE INDEX feedback_reviews_feedback ON feedback_reviews (feedback_id, review_no);
