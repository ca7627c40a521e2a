package browser_test

import (
	"fmt"
	"testing"
)

var narrow = look{360, 780, "light"}

// busy is a page on which something of everything is to be seen.
func busy(t *testing.T, l look) *page {
	t.Helper()
	s := startServe(t, `Orders={"table": "orders", "pollSeconds": 30}`, "EchoSource", "Sensors")
	connect(t, s, "Orders", "EchoSource")
	p := open(t, s, l)
	p.until("two are connected", `$$(".source.connected").length === 2`)
	for i, customer := range []string{"Østergård", "Meyer & Söhne", "Iyer", "O’Neill"} {
		p.publish(fmt.Sprintf(`{"order": %d, "customer": %q, "lines": [{"sku": "A-%d", "n": %d}], "express": %t}`, 1001+i, customer, 17*(i+1), i+1, i%2 == 0))
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

func TestContrastIsEnough(t *testing.T) {
	for _, l := range []look{wide, {1440, 900, "dark"}, narrow, {360, 780, "dark"}} {
		t.Run(fmt.Sprintf("%d %s", l.width, l.scheme), func(t *testing.T) {
			p := busy(t, l)
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
	p := busy(t, narrow)
	if width := value[int](p, `document.documentElement.scrollWidth`); width > 360 {
		t.Errorf("the page is %d pixels wide", width)
	}
	for _, section := range []string{"sources", "plots", "traffic", "publish", "select", "configuration", "faults"} {
		p.clickOn(`$(".jump a[href='#` + section + `']")`)
		p.until("its section is in view", `(() => { const r = $("#`+section+`").getBoundingClientRect(); return r.top < innerHeight - 80 && r.bottom > 60 && r.left >= 0 && r.right <= 360 })()`)
	}
	outside := value[[]string](p, `$$("button, input, textarea, select").filter((e) => e.checkVisibility() && !e.closest(".kinds, .result, .jump") && e.getBoundingClientRect().right > 361).map((e) => e.outerHTML)`)
	for _, e := range outside {
		t.Errorf("out of the window: %s", e)
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

// TestPictures takes pictures for people to look at.
func TestPictures(t *testing.T) {
	for name, l := range map[string]look{
		"console-light":        wide,
		"console-dark":         {1440, 900, "dark"},
		"console-narrow-light": narrow,
		"console-narrow-dark":  {360, 780, "dark"},
		"console-middle-light": {900, 800, "light"},
	} {
		t.Run(name, func(t *testing.T) {
			p := busy(t, l)
			p.clickOn(`$$("#rows li.publish .line").at(-1)`)
			p.until("it is open", `$(".whole button")`)
			p.screenshot(name)
			if l.width < 1000 {
				for _, section := range []string{"traffic", "select", "faults"} {
					p.clickOn(`$(".jump a[href='#` + section + `']")`)
					p.until("its section is in view", `Math.abs($("#`+section+`").getBoundingClientRect().top - 40) < 60 || scrollY + innerHeight > document.documentElement.scrollHeight - 2`)
					p.screenshot(name + "-" + section)
				}
			}
		})
	}
}
