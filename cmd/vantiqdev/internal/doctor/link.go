package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gorilla/websocket"

	"github.com/vantiq-go/connectorsdk/protocol"
)

// A link is a WebSocket to Vantiq, on which one thing happens after the other.
type link struct {
	ws      *websocket.Conn
	decoder protocol.Decoder
}

func newLink(ws *websocket.Conn, maxInbound int) *link {
	ws.SetReadLimit(int64(cmp.Or(maxInbound, 16<<20)))
	return &link{ws: ws}
}

// An alienError is a message that is not of the protocol.
type alienError struct{ error }

// ask sends a message, and hands what comes to answered until that returns true.
func (l *link) ask(ctx context.Context, message []byte, answered func(protocol.Message) bool) error {
	stop := context.AfterFunc(ctx, func() { _ = l.ws.NetConn().SetDeadline(time.Unix(1, 0)) })
	defer stop()
	fail := func(err error) error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return err
	}
	if err := l.ws.WriteMessage(websocket.TextMessage, message); err != nil {
		return fail(err)
	}
	for {
		_, frame, err := l.ws.ReadMessage()
		if err != nil {
			return fail(err)
		}
		m, err := l.decoder.Decode(frame)
		if err != nil {
			return &alienError{err}
		}
		if answered(m) {
			return nil
		}
	}
}

// validate presents the token. Refused is the answer if it is an error.
func (l *link) validate(ctx context.Context, token protocol.Secret) (refused *protocol.StatusError, err error) {
	err = l.ask(ctx, protocol.AppendValidate(nil, token), func(m protocol.Message) bool {
		r, ok := m.(*protocol.Response)
		if !ok || r.Partial() {
			return false
		}
		refused = r.Err()
		return true
	})
	return refused, err
}

// connect claims a source once.
func (l *link) connect(ctx context.Context, source string, secret protocol.Secret) (config *protocol.ConfigureExtension, refused *protocol.StatusError, err error) {
	err = l.ask(ctx, protocol.AppendConnectExtension(nil, source, secret), func(m protocol.Message) bool {
		switch m := m.(type) {
		case *protocol.ConfigureExtension:
			config = &protocol.ConfigureExtension{Source: m.Source, Config: m.Config, HasConfig: m.HasConfig}
			return true
		case *protocol.Response:
			refused = m.Err()
			return refused != nil
		}
		return false
	})
	return config, refused, err
}

// leavePatience is for the answer to a close frame.
const leavePatience = time.Second

// leave closes the link politely, with 1000. Leaving a link again, or one that is broken or nil, does no harm.
func (l *link) leave() {
	if l == nil {
		return
	}
	defer l.ws.Close() //nolint:errcheck // nobody could do anything about it
	soon := time.Now().Add(leavePatience)
	bye := websocket.FormatCloseMessage(websocket.CloseNormalClosure, "")
	if l.ws.WriteControl(websocket.CloseMessage, bye, soon) != nil {
		return
	}
	_ = l.ws.SetReadDeadline(soon)
	for {
		if _, _, err := l.ws.ReadMessage(); err != nil {
			return
		}
	}
}

// farewell returns what a server said when it closed the link, if that is what err is about.
func (x *examination) farewell(err error) string {
	var closed *websocket.CloseError
	if !errors.As(err, &closed) || closed.Code == websocket.CloseAbnormalClosure {
		return ""
	}
	text := fmt.Sprintf("the server closed the link with %d", closed.Code)
	if closed.Text != "" {
		text += fmt.Sprintf(" %q", x.foreign(closed.Text))
	}
	return text
}
