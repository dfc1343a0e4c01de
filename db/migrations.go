package db

import "onenow/db/store"

// migrations brings an older file up to schema.sql, a step for each version:
// migrations[0] makes version 2 of version 1, and so on. Steps are only ever
// added; a shop's file may be of any age.
var migrations = []store.Step{upgrade2}
