// Onenow is the backend of a small car-rental shop, in one program and one SQLite file.
package main

import (
	"context"
	_ "embed"
	"os"

	"onenow/cmd"
)

//go:embed schema.sql
var schema string

func main() {
	ctx, stop := cmd.SignalContext(context.Background())
	defer stop()
	if err := cmd.Run(ctx, schema, os.Args[1:]); err != nil {
		cmd.PrintError(err)
		os.Exit(1)
	}
}
