package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

// A recording is every run of a call of the program.
type recording struct {
	Machine machine `json:"machine"`
	Runs    runs    `json:"runs"`
}

// A machine is what a recording was made on, and with what.
type machine struct {
	CPU    string    `json:"cpu"`
	Cores  int       `json:"cores"`
	Kernel string    `json:"kernel"`
	Go     string    `json:"go"`
	Commit string    `json:"commit"`
	Date   time.Time `json:"date"`
}

func thisMachine(ctx context.Context) machine {
	m := machine{CPU: "unknown", Cores: runtime.NumCPU(), Kernel: "unknown", Go: runtime.Version(), Commit: "unknown", Date: time.Now().UTC().Truncate(time.Second)}
	if info, err := os.Open("/proc/cpuinfo"); err == nil {
		for lines := bufio.NewScanner(info); lines.Scan(); {
			if name, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(name) == "model name" {
				m.CPU = strings.TrimSpace(value)
			}
		}
		_ = info.Close()
	}
	if release, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.Kernel = strings.TrimSpace(string(release))
	}
	if commit, err := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty").Output(); err == nil {
		m.Commit = strings.TrimSpace(string(commit))
	}
	return m
}

func (r recording) save(file string) error {
	text, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(text, '\n'), 0o644) //nolint:gosec // results are for everybody
}

// load reads recordings. Rounds of a later file count on from those of the one before.
func load(files []string) ([]machine, runs, error) {
	if len(files) == 0 {
		return nil, nil, errors.New("name the files that \"run -o\" has written")
	}
	var machines []machine
	var all runs
	before := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, nil, err
		}
		var r recording
		if err := json.Unmarshal(text, &r); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", file, err)
		}
		machines = append(machines, r.Machine)
		last := before
		for _, run := range r.Runs {
			run.Round += before
			last = max(last, run.Round)
			all = append(all, run)
		}
		before = last
	}
	return machines, all, nil
}

// String returns the machine in one line.
func (m machine) String() string {
	return fmt.Sprintf("%d × %s, Linux %s, %s, commit %s, %s", m.Cores, m.CPU, m.Kernel, m.Go, m.Commit, m.Date.Format(time.DateOnly))
}

func tableCommand(files []string, stdout io.Writer) error {
	machines, all, err := load(files)
	if err != nil {
		return err
	}
	for _, m := range machines {
		_, _ = fmt.Fprintln(stdout, m)
	}
	for _, t := range tables(all) {
		t.print(stdout, true)
	}
	return nil
}
