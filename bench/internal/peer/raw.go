package peer

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/vantiq-go/connectorsdk/bench/internal/job"
)

// The raw loop: nothing is decoded, and what is sent is there already. It is the least that gorilla/websocket can do.

// notification returns an object with what stands around it.
func notification(object []byte) []byte {
	return fmt.Appendf(nil, `{"op":"notification","resourceName":"sources","resourceId":%q,"object":%s}`, job.SourceName(0), object)
}

func rawPublishes(j job.Job, c *websocket.Conn) error {
	var message []byte
	for handled := 1; ; handled++ {
		var err error
		if message, err = read(c, message); err != nil {
			return err
		}
		if len(message) < j.Size { // an acknowledgement of a report
			handled--
			continue
		}
		if handled%j.ReportEvery == 0 {
			if err := c.WriteMessage(websocket.BinaryMessage, notification(fmt.Appendf(nil, `{"handled":%d}`, handled))); err != nil {
				return err
			}
		}
	}
}

// What stands around the reply address of a raw answer.
const (
	answerBefore = `{"status":200,"headers":{"X-Reply-Address":"`
	answerBehind = `"},"body":[{"machine":"machine-000017","temperature":21.5,"running":true}]}`
)

func rawQueries(j job.Job, c *websocket.Conn) error {
	var (
		query, answer []byte
		err           error
		writing       sync.Mutex
		slow          sync.WaitGroup
	)
	defer slow.Wait()
	for {
		if query, err = read(c, query); err != nil {
			return err
		}
		address, err := rawReplyAddress(query)
		if err != nil {
			return err
		}
		if j.Delay == 0 {
			answer = append(append(append(answer[:0], answerBefore...), address...), answerBehind...)
			if err := c.WriteMessage(websocket.BinaryMessage, answer); err != nil {
				return err
			}
			continue
		}
		answer := []byte(answerBefore + string(address) + answerBehind)
		slow.Go(func() {
			time.Sleep(j.Delay)
			writing.Lock()
			defer writing.Unlock()
			_ = c.WriteMessage(websocket.BinaryMessage, answer) // an error is the reader's, too
		})
	}
}

// rawReplyAddress finds the reply address of a query.
func rawReplyAddress(query []byte) ([]byte, error) {
	const before = `"REPLY_ADDR_HEADER":"`
	begin := bytes.Index(query, []byte(before))
	if begin < 0 {
		return nil, errors.New("a query without a reply address: " + strconv.Quote(string(query)))
	}
	address := query[begin+len(before):]
	return address[:max(0, bytes.IndexByte(address, '"'))], nil
}

func rawNotifications(j job.Job, c *websocket.Conn) error {
	message := notification(j.Record)
	return beside(c, func() error { return c.WriteMessage(websocket.BinaryMessage, message) })
}

// beside calls send again and again until it fails, beside a goroutine that reads acknowledgements.
func beside(c *websocket.Conn, send func() error) error {
	read := make(chan error, 1)
	go func() { read <- discard(c) }()
	for {
		if err := send(); err != nil {
			_ = c.Close()
			return errors.Join(err, <-read)
		}
	}
}
