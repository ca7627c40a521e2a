package vantiqtest

import "slices"

// historyLimit bounds what is remembered for assertions, so that a server can run for ever.
const historyLimit = 4096

// A history remembers the last historyLimit values.
type history[T any] struct{ values []T }

func (h *history[T]) add(value T) {
	if len(h.values) == 2*historyLimit { // forget half at once: cheaper than moving all for each value
		h.values = slices.Delete(h.values, 0, historyLimit)
	}
	h.values = append(h.values, value)
}

// all returns a copy, oldest first.
func (h *history[T]) all() []T {
	return slices.Clone(h.values[max(0, len(h.values)-historyLimit):])
}
