//go:build !race

package connector_test

// floodShare is what a flood is divided by.
const floodShare = 1
