//go:build race

package connector_test

// floodMessages are fewer where every access to memory is watched, which takes ten times as long.
const floodMessages = 100_000
