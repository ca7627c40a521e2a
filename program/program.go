// Package program is what the main functions of connectors have in common: flags, logging, signals, and how to end.
//
//	func main() { program.Main(program.Serve(handlers)) }
//
// A connector that opens something of its own beside its sources, like a durable outbox or an HTTP server, has a function
// for it instead of [Serve]:
//
//	func main() {
//		program.Main(func(ctx context.Context, env program.Env) error {
//			outbox, err := boltoutbox.Open("outbox.db", boltoutbox.Options{Logger: env.Logger})
//			if err != nil {
//				return err
//			}
//			defer outbox.Close()
//			set, err := connectorset.Load(append(env.Options, connectorset.WithOutbox(outbox))...)
//			if err != nil {
//				return err
//			}
//			set.SetHandlers(handlers)
//			return set.Run(ctx)
//		})
//	}
//
// It is for programs only: it has global state, ends the process, and links a logger for terminals. Whoever wants it
// otherwise writes the few lines on package connectorset instead.
package program

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/connectorset"
)

// An Env is what Main has made ready.
type Env struct {
	// File is the configuration file that -config names, or empty.
	File string
	// Logger writes to standard error what is at least of the level that LOG_LEVEL says: with colours to a terminal, plain
	// text otherwise.
	Logger *slog.Logger
	// Options are for [connectorset.Load]: File, Logger, and the health port, which is open from when every source has been
	// connected once ([connectorset.Once]). A later option overrides an earlier one.
	Options []connectorset.Option
}

// Main calls serve, and ends the process when it returns: with exit code 0 after nil, and otherwise with 1 and the error in
// one line on standard error. Its ctx ends at SIGINT or SIGTERM, which drains a connector set; a second one ends the
// process at once. A run that leaves notifications undelivered ([connector.ErrUndelivered]) has failed too.
//
// Main parses the command line: -config FILE, -version, and what was declared with package flag before. LOG_LEVEL is
// debug, info (the default), warn or error.
func Main(serve func(ctx context.Context, env Env) error) {
	os.Exit(run(serve))
}

// Serve returns what a connector does that is nothing but its handlers: it runs them for the sources of its server.config.
func Serve(handlers connector.Handlers) func(ctx context.Context, env Env) error {
	return func(ctx context.Context, env Env) error {
		set, err := connectorset.Load(env.Options...)
		if err != nil {
			return err
		}
		set.SetHandlers(handlers)
		return set.Run(ctx)
	}
}

func run(serve func(ctx context.Context, env Env) error) (exitCode int) {
	file := flag.String("config", "", "read this `file` instead of serverConfig/server.config or server.config")
	version := flag.Bool("version", false, "print the SDK's version and exit")
	flag.Parse()
	name := strings.TrimSuffix(filepath.Base(os.Args[0]), ".exe")
	if *version {
		fmt.Println(sdkVersion())
		return 0
	}
	err := errors.New("unexpected arguments: " + strings.Join(flag.Args(), " ") + "; see -h")
	if flag.NArg() == 0 {
		err = serveUntilSignal(serve, *file)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %s\n", name, strings.ReplaceAll(err.Error(), "\n", "; "))
		return 1
	}
	return 0
}

func serveUntilSignal(serve func(ctx context.Context, env Env) error, file string) error {
	logger, err := newLogger(os.Stderr, os.Getenv("LOG_LEVEL"))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() { // ends with the process
		<-signals
		signal.Stop(signals) // from now on a signal ends the process
		cancel()
	}()
	return serve(ctx, Env{File: file, Logger: logger, Options: []connectorset.Option{
		connectorset.WithFile(file),
		connectorset.WithLogger(logger),
		connectorset.Derived(connectorset.Once, 0),
	}})
}
