package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"
)

// clockTick is the unit of times in /proc: USER_HZ, which is 100 on every Linux that Go runs on.
const clockTick = time.Second / 100

// cpuTime returns the processor time that a process has used, in all its threads. It is known to Linux only.
func cpuTime(pid int) (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// Behind the name, which may hold anything, in parentheses: state is the first field, utime the 12th, stime the 13th.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 13 {
		return 0, fmt.Errorf("/proc/%d/stat has only %d fields behind the name", pid, len(fields))
	}
	var ticks int64
	for _, field := range fields[11:13] {
		n, err := strconv.ParseInt(string(field), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("/proc/%d/stat: %w", pid, err)
		}
		ticks += n
	}
	return time.Duration(ticks) * clockTick, nil
}

// A cpuMeter tells the share of one core that a process takes.
type cpuMeter struct {
	pid  int
	at   time.Time
	used time.Duration
}

func newCPUMeter(pid int) (cpuMeter, error) {
	m := cpuMeter{pid: pid, at: time.Now()}
	var err error
	m.used, err = cpuTime(m.pid)
	return m, err
}

// share returns the share of one core since the meter was made: 1 is a whole core.
func (m cpuMeter) share() (float64, error) {
	used, err := cpuTime(m.pid)
	return (used - m.used).Seconds() / time.Since(m.at).Seconds(), err
}

// memory returns a line of a process's status, in bytes: VmRSS is what it has, VmHWM the most it has had.
func memory(pid int, name string) (int64, error) {
	file := fmt.Sprintf("/proc/%d/status", pid)
	status, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	for line := range bytes.Lines(status) {
		if value, ok := bytes.CutPrefix(line, []byte(name+":")); ok {
			n, err := strconv.ParseInt(string(bytes.TrimSpace(bytes.TrimSuffix(bytes.TrimSpace(value), []byte("kB")))), 10, 64)
			if err != nil {
				return 0, fmt.Errorf("%s: %w", file, err)
			}
			return n << 10, nil
		}
	}
	return 0, fmt.Errorf("%s: there is no %s", file, name)
}

// forgetPeak makes VmHWM what VmRSS is now.
func forgetPeak(pid int) error {
	return os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0)
}
