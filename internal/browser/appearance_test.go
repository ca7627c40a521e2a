package browser_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

var narrow = look{360, 780, "light"}

// busy is a console at which something of everything is to be seen.
func busy(t *testing.T) *serve {
	t.Helper()
	s := startServe(t, `Orders={"table": "orders", "pollSeconds": 30, "columns": ["id", "customer", "total"]}`, "Invoices", "Sensors")
	connect(t, s, "Orders", "Invoices")
	return s
}

// openBusy opens its page, and does something there.
func openBusy(t *testing.T, s *serve, l look) *page {
	t.Helper()
	p := open(t, s, l)
	p.until("two are connected", `$$(".source.connected").length === 2`)
	p.clickOn(`source("Orders")`)
	for i, customer := range []string{"Østergård", "Meyer & Söhne", "Iyer", "O’Neill"} {
		p.publish(order(i, customer))
	}
	for _, ask := range []string{`{"fail": "There is no table {0}"}`, `{"partials": 2, "rows": 4}`} {
		p.write("#select-text", ask)
		p.press(enter, ctrl)
		p.until("it was answered", `/rows|no table/.test($("#select-form .outcome").textContent) && !$("#select-form .primary").disabled`)
	}
	p.amount("Acknowledge late", "50")
	p.clickOn(`fault("Acknowledge late").querySelector("button")`)
	p.until("that is shown", `fault("Acknowledge late").matches(".active")`)
	p.until("the answer is there", `labels().includes("answer")`)
	return p
}

func order(i int, customer string) string {
	return fmt.Sprintf(`{"order": %d, "customer": %q, "lines": [{"sku": "A-%d", "n": %d}], "express": %t}`, 1001+i, customer, 17*(i%9+1), i%5+1, i%2 == 0)
}

func TestContrastIsEnough(t *testing.T) {
	s := busy(t)
	for _, l := range []look{wide, {1440, 900, "dark"}, narrow, {360, 780, "dark"}} {
		t.Run(fmt.Sprintf("%d %s", l.width, l.scheme), func(t *testing.T) {
			p := openBusy(t, s, l)
			p.write("#publish-text", `{"wrong": }`)
			low := value[[]string](p, contrast)
			for _, text := range low {
				t.Error(text)
			}
		})
	}
}

// contrast lists the visible texts whose contrast to what is behind them is below 4.5.
const contrast = `(() => {
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1); return [...canvas.getImageData(0, 0, 1, 1).data]; };
  const luminance = (c) => { const [r, g, b] = c.map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const behind = (e) => { for (; e; e = e.parentElement) { const c = rgba(getComputedStyle(e).backgroundColor); if (c[3] === 255) return c; } return rgba("white"); };
  const low = new Set();
  let seen = 0;
  for (const e of $$("body *")) {
    const text = [...e.childNodes].filter((n) => n.nodeType === 3).map((n) => n.textContent.trim()).join("") || e.value || "";
    if (!text || !e.checkVisibility() || e.matches(":disabled, option, .visually-hidden, .skip")) continue;
    seen++;
    const [a, b] = [luminance(rgba(getComputedStyle(e).color)), luminance(behind(e))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) low.add(ratio.toFixed(2) + " " + e.tagName + "." + e.className + " " + text.slice(0, 30));
  }
  return seen > 60 ? [...low] : ["only " + seen + " texts were looked at"];
})()`

func TestNarrowWindowIsOneColumn(t *testing.T) {
	p := openBusy(t, busy(t), narrow)
	if width := value[int](p, `document.documentElement.scrollWidth`); width > 360 {
		t.Errorf("the page is %d pixels wide", width)
	}
	for _, section := range []string{"sources", "plots", "traffic", "publish", "select", "configuration", "faults"} {
		p.clickOn(`$(".jump a[href='#` + section + `']")`)
		p.until("its section is in view", `(() => { const r = $("#`+section+`").getBoundingClientRect(); return r.top < innerHeight - 80 && r.bottom > 60 && r.left >= 0 && r.right <= 360 })()`)
	}
	outside := value[[]string](p, `$$("button, input, textarea, select").filter((e) => e.checkVisibility() && !e.closest(".result, .jump") && e.getBoundingClientRect().right > 361).map((e) => e.outerHTML)`)
	for _, e := range outside {
		t.Errorf("out of the window: %s", e)
	}
}

func TestLongNamesFit(t *testing.T) {
	name := strings.Repeat("ALongName", 13) + "end"
	p := open(t, startServe(t, name), narrow)
	p.shows("#how-name", name)
	if width := value[int](p, `document.documentElement.scrollWidth`); width > 360 {
		t.Errorf("the page is %d pixels wide", width)
	}
}

func TestCaptionsOfPlotsFit(t *testing.T) {
	s := startServe(t, "EchoSource")
	p := open(t, s, wide)
	for _, width := range []int64{1440, 1280, 1240, 1239, 1024, 1023, 641, 420, 360} {
		p.look(look{width, 900, "light"})
		cut := value[[]string](p, `(() => {
			$$(".plot-value").forEach((value) => { value.textContent = "1.20 s · 12.3 s" });
			return $$(".plot figcaption, .plot figcaption *").filter((e) => e.scrollWidth > e.clientWidth && getComputedStyle(e).display !== "inline").map((e) => e.textContent);
		})()`)
		for _, text := range cut {
			t.Errorf("%d pixels: %s", width, text)
		}
		captions := value[string](p, `$$(".plot figcaption p:first-child").map((caption) => caption.innerText).join("|")`)
		if captions != "Publishes a second|Notifications a second|Queries a second|Answer time p50 · max" {
			t.Errorf("%d pixels: units are missing in %s", width, captions)
		}
	}
}

func TestLowWindowScrolls(t *testing.T) {
	s := startServe(t, "EchoSource")
	p := open(t, s, look{1100, 300, "light"})
	if height := value[int](p, `$("#rows").clientHeight`); height < 120 {
		t.Errorf("the traffic is %d pixels high", height)
	}
	if !value[bool](p, `document.documentElement.scrollHeight > 300 && Math.abs($(".traffic").getBoundingClientRect().bottom - $(".side").getBoundingClientRect().bottom) < 2`) {
		t.Error("the window does not scroll, or not all of it")
	}
	p.look(wide)
	if !value[bool](p, `document.documentElement.scrollHeight === 900 && $(".side").scrollHeight > $(".side").clientHeight`) {
		t.Error("a window that is high enough scrolls")
	}
}

// TestDotsStandBetween checks that no line of a source begins or ends with one.
func TestDotsStandBetween(t *testing.T) {
	s := startServe(t, "Orders")
	connect(t, s, "Orders")
	p := open(t, s, wide)
	p.until("it is connected", `source("Orders").matches(".connected")`)
	for _, order := range []string{`{"fail": "on purpose"}`, `{"rows": 1}`} {
		s.send(http.MethodPost, "/api/sources/Orders/query", order)
	}
	s.send(http.MethodPost, "/api/sources/Orders/publish", `{"n": 1}`)
	p.until("there is more than fits into a line", `told("Orders").includes("1 failed") && told("Orders").includes("1 published") && new Set($$(".source-totals .listed").map((e) => e.offsetTop)).size > 1`)
	loose := value[[]string](p, `(() => {
		const loose = [];
		for (const line of $$(".source-state, .source-peer, .source-totals")) {
			if (line.textContent.includes("·")) loose.push(line.textContent);
			const items = [...line.children];
			items.forEach((item, i) => {
				const first = i === 0 || items[i - 1].offsetTop !== item.offsetTop;
				const clipped = item.offsetLeft - line.offsetLeft < 1 && getComputedStyle(line).clipPath.includes(getComputedStyle(item).paddingLeft);
				if (getComputedStyle(item, "::before").content !== '"·"' || first !== clipped) loose.push(item.textContent);
			});
		}
		return loose;
	})()`)
	for _, text := range loose {
		t.Error(text)
	}
}

func TestThemeIsSwitchedAndRemembered(t *testing.T) {
	s := startServe(t, "EchoSource")
	p := open(t, s, wide)
	background := `getComputedStyle($("header")).backgroundColor`
	light := value[string](p, background)
	p.look(look{1440, 900, "dark"})
	p.until("it follows the system", background+" !== "+quote(light))
	dark := value[string](p, background)
	p.click("#theme")
	p.until("light, whatever the system says", background+" === "+quote(light))
	p.click("#theme")
	p.until("dark", background+" === "+quote(dark))
	p.look(wide)
	p.reload()
	p.until("remembered", background+" === "+quote(dark))
}

// TestPictures takes pictures for people to look at, after a minute of traffic that fills the plots.
func TestPictures(t *testing.T) {
	if os.Getenv("SCREENSHOTS") == "" {
		t.Skip("takes pictures, with SCREENSHOTS=DIRECTORY")
	}
	s := busy(t)
	p := open(t, s, wide)
	p.until("two are connected", `$$(".source.connected").length === 2`)
	s.traffic(time.Minute)
	for name, l := range map[string]look{
		"console-light":        wide,
		"console-dark":         {1440, 900, "dark"},
		"console-narrow-light": narrow,
		"console-narrow-dark":  {360, 780, "dark"},
		"console-middle-light": {900, 800, "light"},
	} {
		t.Run(name, func(t *testing.T) {
			p := openBusy(t, s, l)
			p.clickOn(`$$("#rows li.query .line").at(-1)`)
			p.until("it is open", `$(".whole button")`)
			value[bool](p, `($$(".side, html").forEach((e) => e.scrollTo({top: 0, behavior: "instant"})), true)`)
			p.until("the plots are drawn", `$(".plot-value").textContent !== ""`)
			p.screenshot(name)
			if l.width < 1000 {
				for _, section := range []string{"traffic", "select", "faults"} {
					p.clickOn(`$(".jump a[href='#` + section + `']")`)
					p.until("its section is in view", `Math.abs($("#`+section+`").getBoundingClientRect().top - 36) < 8 || scrollY + innerHeight > document.documentElement.scrollHeight - 2`)
					p.screenshot(name + "-" + section)
				}
			}
		})
	}
}

// traffic publishes and queries for a while, now more, now less.
func (s *serve) traffic(lasts time.Duration) {
	s.t.Helper()
	begun := time.Now()
	pace := time.NewTicker(100 * time.Millisecond)
	defer pace.Stop()
	for i := 0; time.Since(begun) < lasts; i++ {
		<-pace.C
		wave := 1 + math.Sin(time.Since(begun).Seconds()/4)
		for range int(wave * rand.Float64() * 3) {
			s.send(http.MethodPost, "/api/sources/Orders/publish", order(i, []string{"Østergård", "Meyer & Söhne", "Iyer", "O’Neill"}[i%4]))
		}
		if i%4 == 0 {
			s.send(http.MethodPost, "/api/sources/Orders/query", fmt.Sprintf(`{"rows": %d, "after": %d}`, i%7, int(3+wave*8*rand.Float64())))
		}
	}
}
