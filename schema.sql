-- The whole data model of onenow, as a new file gets it.
--
-- The file is marked as ours by PRAGMA application_id and numbered by
-- PRAGMA user_version (both set in db/migrate.go). Dates are days of the
-- calendar, YYYY-MM-DD. Instants (columns that end in _at) are whole seconds
-- since 1970 in UTC.

-- What belongs to this shop's installation as a whole: one row.
CREATE TABLE instance (
    id          INTEGER PRIMARY KEY CHECK (id = 1),
    signing_key BLOB    NOT NULL CHECK (length(signing_key) = 32), -- signs the access and refresh tokens
    created_at  INTEGER NOT NULL
) STRICT;

CREATE TABLE users (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    username      TEXT    NOT NULL UNIQUE CHECK (username <> ''), -- compared exactly: Ali is not ali
    password_hash TEXT    NOT NULL,                               -- argon2id, in PHC string format; of who was imported, Django's, or ! for no password
    created_at    INTEGER NOT NULL
) STRICT;

-- One row for each login that is still good. Its tokens carry the id, so
-- deleting the row ends them all.
CREATE TABLE sign_ins (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id    INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL -- when its newest refresh token expires
) STRICT;

CREATE INDEX sign_ins_user_id ON sign_ins (user_id);
CREATE INDEX sign_ins_expires_at ON sign_ins (expires_at);

-- The refresh tokens of a sign-in, the used ones too: using one again is how
-- a stolen token shows.
CREATE TABLE refresh_tokens (
    id         TEXT    PRIMARY KEY, -- the token's jti
    sign_in_id INTEGER NOT NULL REFERENCES sign_ins (id) ON DELETE CASCADE,
    expires_at INTEGER NOT NULL,
    used_at    INTEGER              -- when it was first exchanged; NULL while it is unused
) STRICT, WITHOUT ROWID;

CREATE INDEX refresh_tokens_sign_in_id ON refresh_tokens (sign_in_id);
CREATE INDEX refresh_tokens_expires_at ON refresh_tokens (expires_at);

-- From where users have signed in, the newest of each: somebody else's guessing
-- at a password does not keep its owner out there.
CREATE TABLE known_addresses (
    user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    address TEXT    NOT NULL, -- of IPv6 the network, a /64
    used_at INTEGER NOT NULL,
    PRIMARY KEY (user_id, address)
) STRICT, WITHOUT ROWID;

-- What serving HTTPS needs: the account with the certificate authority, the
-- certificates, their keys.
CREATE TABLE certificates (
    name       TEXT    PRIMARY KEY,
    data       BLOB    NOT NULL, -- in PEM format
    updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE vehicles (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE, -- the owner
    make    TEXT    NOT NULL CHECK (make <> ''),
    model   TEXT    NOT NULL CHECK (model <> ''),
    year    INTEGER NOT NULL CHECK (year BETWEEN 1886 AND 9999),      -- 1886: the first car
    plate   TEXT    NOT NULL CHECK (plate <> '')
) STRICT;

-- An owner has a plate once, whatever its letter case. (NOCASE knows A to Z;
-- db/vehicles.go compares other alphabets.)
CREATE UNIQUE INDEX vehicles_user_id_plate ON vehicles (user_id, plate COLLATE NOCASE);

-- A car is taken from start_date up to, not including, end_date, the day it
-- comes back.
CREATE TABLE bookings (
    id         INTEGER PRIMARY KEY AUTOINCREMENT CHECK (id > 0), -- -1 is what the insert trigger sees before there is one
    vehicle_id INTEGER NOT NULL REFERENCES vehicles (id) ON DELETE CASCADE,
    start_date TEXT    NOT NULL CHECK (start_date IS date(start_date)),
    end_date   TEXT    NOT NULL CHECK (end_date IS date(end_date)),
    CHECK (end_date > start_date)
) STRICT;

CREATE INDEX bookings_vehicle_id_dates ON bookings (vehicle_id, start_date, end_date); -- by date: calendars, the triggers below
CREATE INDEX bookings_vehicle_id ON bookings (vehicle_id);                             -- by id: pages

-- Two bookings of a vehicle never overlap, whoever writes them. As those
-- already stored do not overlap, only one can clash that none nearer hides:
-- the last to start before the new one ends.
CREATE TRIGGER bookings_insert_overlap
BEFORE INSERT ON bookings
WHEN (
    SELECT end_date FROM bookings
    WHERE vehicle_id = NEW.vehicle_id AND start_date < NEW.end_date AND id IS NOT NEW.id
    ORDER BY start_date DESC LIMIT 1
) > NEW.start_date
BEGIN
    SELECT RAISE(ABORT, 'the vehicle is already booked in this time');
END;

CREATE TRIGGER bookings_update_overlap
BEFORE UPDATE ON bookings
WHEN (
    SELECT end_date FROM bookings
    WHERE vehicle_id = NEW.vehicle_id AND start_date < NEW.end_date AND id IS NOT OLD.id
    ORDER BY start_date DESC LIMIT 1
) > NEW.start_date
BEGIN
    SELECT RAISE(ABORT, 'the vehicle is already booked in this time');
END;
