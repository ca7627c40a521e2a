package browser_test

import (
	"net/http"
	"testing"
)

func TestASingleAnswerTimeIsSeen(t *testing.T) {
	s := startServe(t, "Orders")
	connect(t, s, "Orders")
	for _, l := range []look{wide, {1440, 900, "dark"}, {1280, 800, "dark"}, {420, 900, "dark"}} {
		p := open(t, s, l)
		p.until("it is connected", `source("Orders").matches(".connected")`)
		value[bool](p, `(() => {
			globalThis.written = new Set();
			const { fillText } = CanvasRenderingContext2D.prototype;
			CanvasRenderingContext2D.prototype.fillText = function (text, ...rest) { written.add(text); return fillText.call(this, text, ...rest) };
			return true;
		})()`)
		s.send(http.MethodPost, "/api/sources/Orders/query", `{"rows": 1}`)
		p.until("there is a dot of some size", `(() => {
			const canvas = $$(".plot canvas").at(-1);
			const accent = getComputedStyle($(".ink-line")).color.match(/\d+/g).map(Number);
			const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d", { willReadFrequently: true });
			copy.drawImage(canvas, 0, 0);
			const { data } = copy.getImageData(0, 0, canvas.width, canvas.height);
			let seen = 0;
			for (let i = 0; i < data.length; i += 4) {
				if (data[i + 3] > 200 && accent.every((v, c) => Math.abs(v - data[i + c]) < 30)) seen++;
			}
			return seen >= 12;
		})()`)
		p.until("its axis has a unit", `[...written].some((text) => /^[\d.]+ (ms|s)$/.test(text))`)
	}
}
