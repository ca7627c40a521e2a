package peer

import (
	"bytes"

	"github.com/gorilla/websocket"

	"github.com/vantiq-go/connectorsdk/bench/internal/job"
	"github.com/vantiq-go/connectorsdk/bench/internal/record"
)

// partialSize is about how large the messages of a raw answer are, below the 256 KiB that a Vantiq server takes.
const partialSize = 200 << 10

// rawRows answers each query with messages that are ready but for the reply address.
func rawRows(j job.Job, c *websocket.Conn) error {
	row := append(record.Encode(record.New(j.Size)), ',')
	per := partialSize / len(row)
	var query, partial, last []byte
	for {
		var err error
		if query, err = read(c, query); err != nil {
			return err
		}
		address, err := rawReplyAddress(query)
		if err != nil {
			return err
		}
		if partial == nil {
			partial = rawAnswer("100", address, row, per)
			last = rawAnswer("200", address, row, j.Rows%per)
		}
		at := len(`{"status":100,"headers":{"X-Reply-Address":"`)
		copy(partial[at:], address)
		copy(last[at:], address)
		for range j.Rows / per {
			if err := c.WriteMessage(websocket.BinaryMessage, partial); err != nil {
				return err
			}
		}
		if err := c.WriteMessage(websocket.BinaryMessage, last); err != nil {
			return err
		}
	}
}

func rawAnswer(status string, address, row []byte, rows int) []byte {
	body := bytes.TrimSuffix(bytes.Repeat(row, rows), []byte(","))
	return bytes.Join([][]byte{
		[]byte(`{"status":` + status + `,"headers":{"X-Reply-Address":"`), address, []byte(`"},"body":[`), body, []byte("]}"),
	}, nil)
}
