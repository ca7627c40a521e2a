package vantiqtest

import (
	"iter"
	"slices"
	"sync"
	"sync/atomic"
)

// hooks is a list of functions that is read for every message and rarely changed: a change makes a new list.
type hooks[F any] struct {
	mu   sync.Mutex
	list atomic.Pointer[[]*F] // latest first
}

// add puts hook in front. The function returned takes it out again; calling it twice is fine.
func (h *hooks[F]) add(hook F) (remove func()) {
	added := &hook
	h.change(func(list []*F) []*F { return append([]*F{added}, list...) })
	return func() {
		h.change(func(list []*F) []*F {
			return slices.DeleteFunc(slices.Clone(list), func(f *F) bool { return f == added })
		})
	}
}

func (h *hooks[F]) change(change func(list []*F) []*F) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var list []*F
	if current := h.list.Load(); current != nil {
		list = *current
	}
	list = change(list)
	h.list.Store(&list)
}

func (h *hooks[F]) all() iter.Seq[F] {
	return func(yield func(F) bool) {
		list := h.list.Load()
		if list == nil {
			return
		}
		for _, hook := range *list {
			if !yield(*hook) {
				return
			}
		}
	}
}
