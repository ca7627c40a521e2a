package main

import (
	"context"
	_ "embed" // peer.py and requirements.txt
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/vantiq-go/connectorsdk/bench/internal/job"
)

//go:embed python/peer.py
var pythonPeer string

//go:embed python/requirements.txt
var pythonRequirements string

// program returns how a peer is started.
func (o settings) program(executable, peer string) []string {
	if peer == job.Python {
		return []string{o.python, "-c", pythonPeer}
	}
	return []string{executable, "peer"}
}

// pythonEnvironment is where python-setup makes its virtual environment: beside the other caches of this user.
func pythonEnvironment() (string, error) {
	cache, err := os.UserCacheDir()
	return filepath.Join(cache, "vantiq-connector-bench", "venv"), err
}

// pythonSetup makes a virtual environment with the official SDK for Python, from the package index that pip is set up with.
func pythonSetup(ctx context.Context, stdout, stderr io.Writer) error {
	directory, err := pythonEnvironment()
	if err != nil {
		return err
	}
	python := filepath.Join(directory, "bin", "python")
	for _, argv := range [][]string{
		{"python3", "-m", "venv", directory},
		append([]string{python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"}, strings.Fields(pythonRequirements)...),
	} {
		command := exec.CommandContext(ctx, argv[0], argv[1:]...)
		command.Stdout, command.Stderr = stderr, stderr
		if err := command.Run(); err != nil {
			return fmt.Errorf("%s: %w", strings.Join(argv, " "), err)
		}
	}
	_, _ = fmt.Fprintln(stdout, directory)
	return nil
}

// findPython looks for an interpreter that has the SDK. Without one the Python peer is left out, and that is said, unless
// one was named.
func (o *settings) findPython(ctx context.Context, progress io.Writer) error {
	if !o.peers.selects(job.Python) {
		return nil
	}
	candidates := []string{o.python}
	if o.python == "" {
		directory, err := pythonEnvironment()
		if err != nil {
			return err
		}
		candidates = []string{filepath.Join(directory, "bin", "python"), "python3"}
	}
	var errs []error
	for _, candidate := range candidates {
		out, err := exec.CommandContext(ctx, candidate, "-c", "import vantiqconnectorsdk").CombinedOutput()
		if err == nil {
			o.python = candidate
			return nil
		}
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		errs = append(errs, fmt.Errorf("%s: %w %s", candidate, err, lines[len(lines)-1]))
	}
	if o.python != "" {
		return errors.Join(errs...)
	}
	_, _ = fmt.Fprintf(progress, "bench: the Python peer is left out; \"bench python-setup\" installs what it needs\n%v\n", errors.Join(errs...))
	return nil
}
