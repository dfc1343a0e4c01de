package cmd

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// SignalContext returns a context that SIGINT, SIGTERM and SIGHUP cancel. A
// second signal ends the process at once. SIGHUP has no effect where nohup has
// made the process ignore it.
func SignalContext(parent context.Context) (context.Context, context.CancelFunc) {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		signals = append(signals, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(parent, signals...)
	context.AfterFunc(ctx, stop) // from then on signals have their usual effect
	return ctx, stop
}
