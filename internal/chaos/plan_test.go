package main

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

func planned(seed uint64, source int) (list []string) {
	p := newPlan(random(seed, planStream, source), time.Second, faults())
	for range 200 {
		k := p.peek()
		p.take()
		list = append(list, fmt.Sprint(k.at, k.fault.name, k.n, k.d, k.coin))
	}
	return list
}

func TestTheSeedFixesThePlan(t *testing.T) {
	if !slices.Equal(planned(1, 7), planned(1, 7)) {
		t.Error("the same seed and source gave two plans")
	}
	if slices.Equal(planned(1, 7), planned(2, 7)) || slices.Equal(planned(1, 7), planned(1, 8)) {
		t.Error("another seed or source gave the same plan")
	}
}

func TestAPlanHasEveryFaultInTime(t *testing.T) {
	seen, last := map[string]bool{}, time.Duration(0)
	p := newPlan(random(1, planStream, 0), time.Second, faults())
	for range 5000 {
		k := p.peek()
		p.take()
		seen[k.fault.name] = true
		if k.at < last || k.n < k.fault.n.from || k.n > k.fault.n.to {
			t.Fatalf("strike %+v after %v", k, last)
		}
		last = k.at
	}
	for _, f := range faults() {
		if !seen[f.name] {
			t.Errorf("%q never strikes", f.name)
		}
	}
}
