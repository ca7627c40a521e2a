// Package record has the object that is published, sent and returned as a row: of any size, always the same.
package record

import (
	"encoding/json"
	"fmt"
	"strings"
)

// A Record is what a machine might tell.
type Record struct {
	ID          string    `json:"id"`
	Site        string    `json:"site"`
	Sequence    int64     `json:"sequence"`
	Running     bool      `json:"running"`
	Temperature float64   `json:"temperature"`
	Position    Position  `json:"position"`
	Readings    []Reading `json:"readings"`
	Note        string    `json:"note"`
}

// A Position is where it stands.
type Position struct {
	X float64 `json:"x"`
	Y float64 `json:"y"`
}

// A Reading is what one of its sensors says.
type Reading struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	OK    bool    `json:"ok"`
}

// New returns a record whose JSON is so many bytes long, at least 180: it has as many readings as fit, and a note that
// fills the rest.
func New(size int) Record {
	r := Record{
		ID: "machine-000017", Site: "Leipzig", Sequence: 1_234_567, Running: true, Temperature: 21.5,
		Position: Position{X: 12.25, Y: -3.5},
	}
	var readings []Reading
	room := size - len(Encode(r)) + len("null") - len("[]")
	for {
		i := len(readings)
		reading := Reading{Name: fmt.Sprintf("sensor-%d", i%100), Value: float64(i*37%2000) / 8, OK: i%7 != 3}
		text, err := json.Marshal(reading)
		if err != nil {
			panic(err) // it has no field that cannot be encoded
		}
		if room < len(text)+1 {
			break
		}
		room -= len(text) + 1 // the comma
		readings = append(readings, reading)
	}
	r.Readings = readings
	r.Note = strings.Repeat("x", max(0, size-len(Encode(r))))
	return r
}

// Encode returns the record as JSON.
func Encode(r Record) []byte {
	text, err := json.Marshal(r)
	if err != nil {
		panic(err) // it has no field that cannot be encoded
	}
	return text
}
