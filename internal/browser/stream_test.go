package browser_test

import (
	"fmt"
	"net/http"
	"testing"
)

// published adds up what the first plot shows of each second, as a pointer that goes along it makes it tell. The plot must be
// wide enough for a second to have a pixel.
const published = `(() => {
	const over = $(".u-over");
	const { left, top, width } = over.getBoundingClientRect();
	const seconds = new Map();
	for (let x = 0; x <= width; x++) {
		over.dispatchEvent(new MouseEvent("mousemove", { clientX: left + x, clientY: top + 5 }));
		seconds.set($("#plots-time").textContent, Number($(".plot-value").textContent));
	}
	over.dispatchEvent(new MouseEvent("mouseleave"));
	return [...seconds.values()].reduce((a, b) => a + b, 0);
})()`

func TestPlotsKeepWhatTheyKnowWhenTheStreamIsHeldUp(t *testing.T) {
	s := startServe(t, "EchoSource")
	connect(t, s, "EchoSource")
	p := open(t, s, look{1000, 900, "light"})
	p.until("it is connected", `source("EchoSource").matches(".connected")`)
	for n := range 3 {
		s.send(http.MethodPost, "/api/sources/EchoSource/publish", fmt.Sprintf(`{"n": %d}`, n))
	}
	p.until("three are in the plot", published+` === 3`)
	goOn := s.hang()
	begun := value[float64](p, `performance.now()`)
	p.until("some seconds of rates come at once", fmt.Sprintf(`performance.now() > %f`, begun+2200))
	goOn()
	s.send(http.MethodPost, "/api/sources/EchoSource/publish", `{"n": 3}`)
	p.until("they were added", published+` === 4`)
	p.until("the page was live all the time", `performance.getEntriesByType("resource").filter((e) => e.name.includes("/api/stream")).length === 0`)
}

func TestPlotsBeginAnewWithAnotherVantiqdev(t *testing.T) {
	s := startServe(t, "EchoSource")
	first := connect(t, s, "EchoSource")
	p := open(t, s, look{1000, 900, "light"})
	p.until("it is connected", `source("EchoSource").matches(".connected")`)
	s.send(http.MethodPost, "/api/sources/EchoSource/publish", `{"n": 1}`)
	p.until("it is in the plot", published+` === 1`)
	first.stop()
	s.again("EchoSource")
	p.until("the other one knows nothing of it", `$("#live").textContent === "live" && `+published+` === 0`)
}

func TestEachStateIsShownOnce(t *testing.T) {
	s := startServe(t, "EchoSource")
	p := open(t, s, wide)
	p.load("store.js")
	value[bool](p, `(globalThis.shown = 0, module.onChange(() => shown++), true)`)
	s.send(http.MethodPut, "/api/sources/EchoSource/config", `{"n": 1}`)
	p.until("it is shown", `$("#configuration-text").value === '{"n": 1}'`)
	if shown := value[int](p, `shown - 1`); shown != 1 {
		t.Errorf("it was shown %d times", shown)
	}
}
