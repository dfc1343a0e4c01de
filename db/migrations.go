package db

import "onenow/db/store"

// migrations upgrades an older file to the version of schema.sql. migrations[0] upgrades
// version 1 to version 2, and so on. Never remove or change a step: a shop may still have
// a file of any version.
var migrations = []store.Step{upgrade2}
