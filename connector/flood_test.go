//go:build !race

package connector_test

// floodMessages are more than all queues together could hold.
const floodMessages = 1_000_000
