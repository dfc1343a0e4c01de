-- From version 1 to version 2, whose schema itself checks references, dates and names.

CREATE TABLE leftovers (
    id         INTEGER PRIMARY KEY,
    table_name TEXT    NOT NULL,
    row        TEXT    NOT NULL CHECK (json_valid(row)),
    reason     TEXT    NOT NULL
) STRICT;

INSERT INTO leftovers (table_name, row, reason)
SELECT 'vehicles', json_object('id', id, 'user_id', user_id, 'make', make, 'model', model, 'year', year, 'plate', plate), 'its owner does not exist'
FROM vehicles
WHERE user_id NOT IN (SELECT id FROM users);

DELETE FROM vehicles WHERE user_id NOT IN (SELECT id FROM users);

INSERT INTO leftovers (table_name, row, reason)
SELECT 'bookings', json_object('id', id, 'vehicle_id', vehicle_id, 'start_date', start_date, 'end_date', end_date), 'its vehicle does not exist'
FROM bookings
WHERE vehicle_id NOT IN (SELECT id FROM vehicles);

DELETE FROM bookings WHERE vehicle_id NOT IN (SELECT id FROM vehicles);
DELETE FROM sign_ins WHERE user_id NOT IN (SELECT id FROM users);
DELETE FROM refresh_tokens WHERE sign_in_id NOT IN (SELECT id FROM sign_ins);
DELETE FROM known_addresses WHERE user_id NOT IN (SELECT id FROM users);

ALTER TABLE users ADD COLUMN name_key TEXT;
CREATE UNIQUE INDEX users_name_key ON users (name_key);
ALTER TABLE vehicles ADD COLUMN plate_key TEXT;
CREATE UNIQUE INDEX vehicles_user_id_plate_key ON vehicles (user_id, plate_key);

CREATE TABLE new_bookings (
    id         INTEGER PRIMARY KEY AUTOINCREMENT CHECK (id > 0), -- in a BEFORE INSERT trigger, NEW.id is -1 if SQLite chooses the id
    vehicle_id INTEGER NOT NULL REFERENCES vehicles (id) ON DELETE CASCADE,
    start_date TEXT    NOT NULL CHECK (start_date IS date(start_date, '+0 days')), -- without '+0 days', SQLite before 3.46 accepts 2026-02-30
    end_date   TEXT    NOT NULL CHECK (end_date IS date(end_date, '+0 days')),
    CHECK (end_date > start_date)
) STRICT;

INSERT INTO new_bookings (id, vehicle_id, start_date, end_date)
SELECT id, vehicle_id, start_date, end_date
FROM bookings
WHERE start_date IS date(start_date, '+0 days') AND end_date IS date(end_date, '+0 days');

-- The id of a deleted booking is never used again.
UPDATE sqlite_sequence SET seq = (SELECT seq FROM sqlite_sequence WHERE name = 'bookings') WHERE name = 'new_bookings';
INSERT INTO sqlite_sequence (name, seq)
SELECT 'new_bookings', seq FROM sqlite_sequence
WHERE name = 'bookings' AND NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'new_bookings');

ALTER TABLE bookings RENAME TO old_bookings;
DROP TRIGGER bookings_insert_overlap;
DROP TRIGGER bookings_update_overlap;
DROP INDEX bookings_vehicle_id_dates;
DROP INDEX bookings_vehicle_id;
ALTER TABLE new_bookings RENAME TO bookings;

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
