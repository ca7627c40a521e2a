//go:build race

package connector_test

// floodShare makes a flood smaller where every access to memory is watched, which takes ten times as long.
const floodShare = 10
