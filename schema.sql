-- The data model of onenow: the schema of a new database file.
--
-- Package db/store sets PRAGMA application_id, which marks the file as onenow's, and
-- PRAGMA user_version, the version of the schema. A date is a text in the form
-- YYYY-MM-DD. A time (in a column whose name ends in _at) is the number of whole
-- seconds since 1970 in UTC.

-- One row with the values of this installation.
CREATE TABLE instance (
    id          INTEGER PRIMARY KEY CHECK (id = 1),
    signing_key BLOB    NOT NULL CHECK (length(signing_key) = 32), -- signs the access and refresh tokens
    created_at  INTEGER NOT NULL
) STRICT;

CREATE TABLE users (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    username      TEXT    NOT NULL UNIQUE CHECK (username <> ''), -- upper and lower case differ: Ali is not ali
    password_hash TEXT    NOT NULL,                               -- argon2id in PHC string format; an imported user may have Django's format, or ! for no password
    created_at    INTEGER NOT NULL,
    name_key      TEXT -- the same for all names that look the same (db.NameKey); NULL if another user already has the key
) STRICT;

CREATE UNIQUE INDEX users_name_key ON users (name_key);

-- One row for each sign-in. Its tokens contain the id, so deleting the row makes all
-- of them invalid.
CREATE TABLE sign_ins (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id    INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL -- when its newest refresh token expires
) STRICT;

CREATE INDEX sign_ins_user_id ON sign_ins (user_id);
CREATE INDEX sign_ins_expires_at ON sign_ins (expires_at);

-- The refresh tokens of a sign-in. Used tokens stay until they expire: if a used token
-- is used again, it may have been stolen.
CREATE TABLE refresh_tokens (
    id         TEXT    PRIMARY KEY, -- the token's jti
    sign_in_id INTEGER NOT NULL REFERENCES sign_ins (id) ON DELETE CASCADE,
    expires_at INTEGER NOT NULL,
    used_at    INTEGER              -- when it was first used; NULL if it is unused
) STRICT, WITHOUT ROWID;

CREATE INDEX refresh_tokens_sign_in_id ON refresh_tokens (sign_in_id);
CREATE INDEX refresh_tokens_expires_at ON refresh_tokens (expires_at);

-- The last addresses from which each user has signed in. Wrong passwords that come from
-- other addresses do not lock the user out at these addresses.
CREATE TABLE known_addresses (
    user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    address TEXT    NOT NULL, -- for IPv6, the /64 network
    used_at INTEGER NOT NULL,
    PRIMARY KEY (user_id, address)
) STRICT, WITHOUT ROWID;

-- The data for HTTPS: the account with the certificate authority, the certificates and
-- their keys.
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
    year    INTEGER NOT NULL CHECK (year BETWEEN 1886 AND 9999),      -- the first car is from 1886
    plate   TEXT    NOT NULL CHECK (plate <> ''),
    plate_key TEXT -- the same for all plates that look the same or differ in letter case (db.PlateKey); NULL if another vehicle of the owner already has the key
) STRICT;

-- An owner has no two vehicles with the same plate, in upper or lower case. (NOCASE
-- covers only A to Z; plate_key covers all letters.)
CREATE UNIQUE INDEX vehicles_user_id_plate ON vehicles (user_id, plate COLLATE NOCASE);
CREATE UNIQUE INDEX vehicles_user_id_plate_key ON vehicles (user_id, plate_key);

-- A booking reserves a vehicle from start_date until the day before end_date. On
-- end_date, the vehicle comes back and can be booked again.
CREATE TABLE bookings (
    id         INTEGER PRIMARY KEY AUTOINCREMENT CHECK (id > 0), -- in a BEFORE INSERT trigger, NEW.id is -1 if SQLite chooses the id
    vehicle_id INTEGER NOT NULL REFERENCES vehicles (id) ON DELETE CASCADE,
    start_date TEXT    NOT NULL CHECK (start_date IS date(start_date, '+0 days')), -- without '+0 days', SQLite before 3.46 accepts 2026-02-30
    end_date   TEXT    NOT NULL CHECK (end_date IS date(end_date, '+0 days')),
    CHECK (end_date > start_date)
) STRICT;

CREATE INDEX bookings_vehicle_id_dates ON bookings (vehicle_id, start_date, end_date); -- for lists by date and the triggers below
CREATE INDEX bookings_vehicle_id ON bookings (vehicle_id);                             -- for pages of a list by id

-- Two bookings of a vehicle never overlap, even if another program writes them. Stored
-- bookings do not overlap, so the triggers check only one booking: the last one that
-- starts before the new booking ends.
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

-- Rows never refer to rows that do not exist, even if another program writes them: the
-- sqlite3 shell and most drivers leave foreign keys switched off. When a row is deleted,
-- the rows that refer to it are deleted, too, as their foreign keys say.
CREATE TRIGGER sign_ins_insert_orphan BEFORE INSERT ON sign_ins
WHEN NOT EXISTS (SELECT 1 FROM users WHERE id = NEW.user_id)
BEGIN
    SELECT RAISE(ABORT, 'FOREIGN KEY: there is no such user');
END;

CREATE TRIGGER sign_ins_update_orphan BEFORE UPDATE OF user_id ON sign_ins
WHEN NOT EXISTS (SELECT 1 FROM users WHERE id = NEW.user_id)
BEGIN
    SELECT RAISE(ABORT, 'FOREIGN KEY: there is no such user');
END;

CREATE TRIGGER refresh_tokens_insert_orphan BEFORE INSERT ON refresh_tokens
WHEN NOT EXISTS (SELECT 1 FROM sign_ins WHERE id = NEW.sign_in_id)
BEGIN
    SELECT RAISE(ABORT, 'FOREIGN KEY: there is no such sign-in');
END;

CREATE TRIGGER refresh_tokens_update_orphan BEFORE UPDATE OF sign_in_id ON refresh_tokens
WHEN NOT EXISTS (SELECT 1 FROM sign_ins WHERE id = NEW.sign_in_id)
BEGIN
    SELECT RAISE(ABORT, 'FOREIGN KEY: there is no such sign-in');
END;

CREATE TRIGGER known_addresses_insert_orphan BEFORE INSERT ON known_addresses
WHEN NOT EXISTS (SELECT 1 FROM users WHERE id = NEW.user_id)
BEGIN
    SELECT RAISE(ABORT, 'FOREIGN KEY: there is no such user');
END;

CREATE TRIGGER known_addresses_update_orphan BEFORE UPDATE OF user_id ON known_addresses
WHEN NOT EXISTS (SELECT 1 FROM users WHERE id = NEW.user_id)
BEGIN
    SELECT RAISE(ABORT, 'FOREIGN KEY: there is no such user');
END;

CREATE TRIGGER vehicles_insert_orphan BEFORE INSERT ON vehicles
WHEN NOT EXISTS (SELECT 1 FROM users WHERE id = NEW.user_id)
BEGIN
    SELECT RAISE(ABORT, 'FOREIGN KEY: there is no such user');
END;

CREATE TRIGGER vehicles_update_orphan BEFORE UPDATE OF user_id ON vehicles
WHEN NOT EXISTS (SELECT 1 FROM users WHERE id = NEW.user_id)
BEGIN
    SELECT RAISE(ABORT, 'FOREIGN KEY: there is no such user');
END;

CREATE TRIGGER bookings_insert_orphan BEFORE INSERT ON bookings
WHEN NOT EXISTS (SELECT 1 FROM vehicles WHERE id = NEW.vehicle_id)
BEGIN
    SELECT RAISE(ABORT, 'FOREIGN KEY: there is no such vehicle');
END;

CREATE TRIGGER bookings_update_orphan BEFORE UPDATE OF vehicle_id ON bookings
WHEN NOT EXISTS (SELECT 1 FROM vehicles WHERE id = NEW.vehicle_id)
BEGIN
    SELECT RAISE(ABORT, 'FOREIGN KEY: there is no such vehicle');
END;

CREATE TRIGGER users_delete AFTER DELETE ON users
BEGIN
    DELETE FROM sign_ins WHERE user_id = OLD.id;
    DELETE FROM known_addresses WHERE user_id = OLD.id;
    DELETE FROM vehicles WHERE user_id = OLD.id;
END;

-- (Not UPDATE OF id, which does not fire for rowid, another name of that column.)
CREATE TRIGGER users_id_stays BEFORE UPDATE ON users
WHEN NEW.id <> OLD.id
BEGIN
    SELECT RAISE(ABORT, 'FOREIGN KEY: other rows refer to the id');
END;

CREATE TRIGGER sign_ins_delete AFTER DELETE ON sign_ins
BEGIN
    DELETE FROM refresh_tokens WHERE sign_in_id = OLD.id;
END;

CREATE TRIGGER sign_ins_id_stays BEFORE UPDATE ON sign_ins
WHEN NEW.id <> OLD.id
BEGIN
    SELECT RAISE(ABORT, 'FOREIGN KEY: other rows refer to the id');
END;

CREATE TRIGGER vehicles_delete AFTER DELETE ON vehicles
BEGIN
    DELETE FROM bookings WHERE vehicle_id = OLD.id;
END;

CREATE TRIGGER vehicles_id_stays BEFORE UPDATE ON vehicles
WHEN NEW.id <> OLD.id
BEGIN
    SELECT RAISE(ABORT, 'FOREIGN KEY: other rows refer to the id');
END;

-- REPLACE deletes conflicting rows without running their delete triggers, so the rows
-- that refer to them would stay. So these triggers refuse it where rows may refer to the
-- conflicting row.
CREATE TRIGGER users_insert_replace BEFORE INSERT ON users
WHEN EXISTS (SELECT 1 FROM users WHERE id = NEW.id OR username = NEW.username OR name_key = NEW.name_key)
BEGIN
    SELECT RAISE(ABORT, 'UNIQUE: there is such a user already');
END;

CREATE TRIGGER users_update_replace BEFORE UPDATE OF username, name_key ON users
WHEN EXISTS (SELECT 1 FROM users WHERE id <> OLD.id AND (username = NEW.username OR name_key = NEW.name_key))
BEGIN
    SELECT RAISE(ABORT, 'UNIQUE: there is such a user already');
END;

CREATE TRIGGER sign_ins_insert_replace BEFORE INSERT ON sign_ins
WHEN EXISTS (SELECT 1 FROM sign_ins WHERE id = NEW.id)
BEGIN
    SELECT RAISE(ABORT, 'UNIQUE: there is such a sign-in already');
END;

CREATE TRIGGER vehicles_insert_replace BEFORE INSERT ON vehicles
WHEN EXISTS (
    SELECT 1 FROM vehicles
    WHERE id = NEW.id OR user_id = NEW.user_id AND (plate = NEW.plate COLLATE NOCASE OR plate_key = NEW.plate_key)
)
BEGIN
    SELECT RAISE(ABORT, 'UNIQUE: the owner has a vehicle with this plate already');
END;

CREATE TRIGGER vehicles_update_replace BEFORE UPDATE OF user_id, plate, plate_key ON vehicles
WHEN EXISTS (
    SELECT 1 FROM vehicles
    WHERE id <> OLD.id AND user_id = NEW.user_id AND (plate = NEW.plate COLLATE NOCASE OR plate_key = NEW.plate_key)
)
BEGIN
    SELECT RAISE(ABORT, 'UNIQUE: the owner has a vehicle with this plate already');
END;

-- The rows of version 1 that version 2 does not allow: they refer to a row that does not
-- exist, or their days are invalid and the vehicle is already booked on the corrected
-- days. The upgrade moves them here, so that nothing is lost.
CREATE TABLE leftovers (
    id         INTEGER PRIMARY KEY,
    table_name TEXT    NOT NULL,
    row        TEXT    NOT NULL CHECK (json_valid(row)),
    reason     TEXT    NOT NULL
) STRICT;
