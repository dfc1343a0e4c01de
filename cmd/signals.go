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
	context.AfterFunc(ctx, stop) // after the first signal, signals have their usual effect
	return ctx, stop
}

// stopSignal returns the name of the signal that has cancelled a context of
// SignalContext, such as SIGTERM, or "" if no signal has.
func stopSignal(ctx context.Context) string {
	if ctx.Err() == nil {
		return ""
	}
	for name, sig := range map[string]os.Signal{"SIGINT": os.Interrupt, "SIGTERM": syscall.SIGTERM, "SIGHUP": syscall.SIGHUP} {
		if context.Cause(ctx).Error() == sig.String()+" signal received" { // the text of NotifyContext's cause
			return name
		}
	}
	return ""
}
