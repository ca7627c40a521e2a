# The targets are the steps of .ci/run, one by one; "make ci" is what CI runs.

# Tools.
GOLANGCI_LINT_VERSION := v2.15.0
# How long each fuzz target runs; for a real campaign: make fuzz FUZZ_TIME=10m
FUZZ_TIME := 6s
# How long faults strike: make chaos CHAOS_TIME=30m
CHAOS_TIME := 1m

steps := fmt vet lint test race fuzz chaos load systems build examples deps docs tidy interop

.PHONY: all ci $(steps)

all: fmt vet lint docs test

$(steps):
	.ci/run $@

ci:
	.ci/run
