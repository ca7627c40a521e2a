package peer

import (
	"encoding/json"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/vantiq-go/connectorsdk/bench/internal/job"
)

// The JSON loop: everything goes through map[string]any, as one would write it on a first day.

type object = map[string]any

func readObject(c *websocket.Conn) (object, error) {
	_, message, err := c.ReadMessage()
	if err != nil {
		return nil, err
	}
	var o object
	return o, json.Unmarshal(message, &o)
}

func writeObject(c *websocket.Conn, o object) error {
	message, err := json.Marshal(o)
	if err != nil {
		return err
	}
	return c.WriteMessage(websocket.BinaryMessage, message)
}

func notificationOf(event any) object {
	return object{"op": "notification", "resourceName": "sources", "resourceId": job.SourceName(0), "object": event}
}

func jsonPublishes(j job.Job, c *websocket.Conn) error {
	for handled := 0; ; {
		message, err := readObject(c)
		if err != nil {
			return err
		}
		if message["op"] != "publish" { // an acknowledgement of a report
			continue
		}
		handled++
		if handled%j.ReportEvery == 0 {
			if err := writeObject(c, notificationOf(object{"handled": handled})); err != nil {
				return err
			}
		}
	}
}

func jsonQueries(j job.Job, c *websocket.Conn) error {
	var writing sync.Mutex
	var slow sync.WaitGroup
	defer slow.Wait()
	for {
		query, err := readObject(c)
		if err != nil {
			return err
		}
		headers, _ := query["messageHeaders"].(object)
		answer := object{
			"status":  200,
			"headers": object{"X-Reply-Address": headers["REPLY_ADDR_HEADER"]},
			"body":    []object{{"machine": "machine-000017", "temperature": 21.5, "running": true}},
		}
		if j.Delay == 0 {
			if err := writeObject(c, answer); err != nil {
				return err
			}
			continue
		}
		slow.Go(func() {
			time.Sleep(j.Delay)
			writing.Lock()
			defer writing.Unlock()
			_ = writeObject(c, answer) // an error is the reader's, too
		})
	}
}

func jsonNotifications(j job.Job, c *websocket.Conn) error {
	var event object
	if err := json.Unmarshal(j.Record, &event); err != nil {
		return err
	}
	return beside(c, func() error { return writeObject(c, notificationOf(event)) })
}
