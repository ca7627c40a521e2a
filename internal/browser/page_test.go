package browser_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// A page is the console's page in a tab of its own. When the test ends it fails if the page has asked anybody but the console
// for anything, or has complained on the browser's console.
type page struct {
	t   *testing.T
	ctx context.Context
	url string

	mu         sync.Mutex
	requests   []string
	complaints []string
}

// A look is how a page is looked at.
type look struct {
	width, height int64
	scheme        string // light or dark
}

var wide = look{1440, 900, "light"}

// open opens the page of a console, and waits until it shows what there is.
func open(t *testing.T, s *serve, l look) *page {
	t.Helper()
	ctx, _ := chromedp.NewContext(chromium(t), chromedp.WithNewBrowserContext())
	p := &page{t: t, ctx: ctx, url: s.console}
	t.Cleanup(p.close)
	p.must(chromedp.Listen(ctx, p.heard))
	p.look(l)
	p.must(chromedp.Do(ctx, chromedp.Navigate(s.console)))
	p.until("the page is live", `$("#live").textContent === "live"`)
	return p
}

func (p *page) look(l look) {
	p.t.Helper()
	p.must(chromedp.Do(p.ctx, chromedp.EmulateViewport(l.width, l.height)))
	_, err := chromedp.Call(p.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: l.scheme}},
	})
	p.must(err)
}

// heard takes note of what the tab does. It must not block.
func (p *page) heard(event any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		p.requests = append(p.requests, e.Request.URL)
	case *runtime.EventExceptionThrown:
		p.complaints = append(p.complaints, fmt.Sprintf("%s %s", e.ExceptionDetails.Text, e.ExceptionDetails.Exception.Description))
	case *runtime.EventConsoleAPICalled:
		for _, arg := range e.Args {
			p.complaints = append(p.complaints, fmt.Sprintf("console.%s: %s", e.Type, arg.Value))
		}
	case *log.EventEntryAdded:
		if e.Entry.Source != log.EntrySourceNetwork { // an error's status, or a console that is away: tests are about those
			p.complaints = append(p.complaints, fmt.Sprintf("%s: %s", e.Entry.Source, e.Entry.Text))
		}
	}
}

func (p *page) close() {
	if p.t.Failed() {
		p.screenshot("failed-" + strings.ReplaceAll(p.t.Name(), "/", "-"))
	}
	if err := chromedp.Cancel(p.ctx); err != nil && !errors.Is(err, context.Canceled) {
		p.t.Error(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.requests) == 0 {
		p.t.Error("no request of the page was seen: this test looks at the wrong thing")
	}
	for _, request := range p.requests {
		if !strings.HasPrefix(request, p.url+"/") {
			p.t.Errorf("the page asked somebody else: %s", request)
		}
	}
	for _, complaint := range p.complaints {
		p.t.Errorf("the page complained: %s", complaint)
	}
}

func (p *page) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

// helpers are what the expressions below may use.
const helpers = `
const $ = (selector) => document.querySelector(selector);
const $$ = (selector) => [...document.querySelectorAll(selector)];
const cell = (li, name) => li.querySelector("." + name).textContent.trim();
const rows = () => $$("#rows > li:not(.gap)").map((li) => ({
  label: cell(li, "label"), body: cell(li, "body"), mark: cell(li, "mark"), took: cell(li, "took"), source: cell(li, "in"), wrong: li.classList.contains("wrong"),
}));
const labels = () => rows().map((row) => row.label);
const source = (name) => $$(".source").find((button) => button.querySelector(".source-name").textContent === name);
const told = (name) => source(name).textContent.replaceAll("\u00a0", " ");
const fault = (label) => $$(".fault").find((li) => li.querySelector("button").textContent === label);
`

// until waits until a JavaScript expression is true.
func (p *page) until(what, expression string) {
	p.t.Helper()
	_, err := chromedp.Run(p.ctx, chromedp.Poll[chromedp.Void]("(() => {"+helpers+"return ("+expression+")})()", chromedp.WithPollingTimeout(20*time.Second)))
	if err != nil {
		text, _ := chromedp.Run(p.ctx, chromedp.Evaluate[string](`document.body.innerText`))
		p.t.Fatalf("not so: %s, %s: %v\n%s", what, expression, err, text)
	}
}

// shows waits until the text of an element contains a text.
func (p *page) shows(selector, text string) {
	p.t.Helper()
	p.until(selector+" shows "+text, fmt.Sprintf("$(%s)?.textContent.includes(%s)", quote(selector), quote(text)))
}

// value returns what a JavaScript expression comes to.
func value[T any](p *page, expression string) T {
	p.t.Helper()
	v, err := chromedp.Run(p.ctx, chromedp.Evaluate[T]("(() => {"+helpers+"return ("+expression+")})()"))
	p.must(err)
	return v
}

// click clicks where the mouse of a reader would.
func (p *page) click(selector string) {
	p.t.Helper()
	p.must(chromedp.Do(p.ctx, chromedp.Click(chromedp.CSS(selector), chromedp.NodeVisible, chromedp.NodeEnabled)))
}

// clickOn clicks the button that an expression gives.
func (p *page) clickOn(expression string) {
	p.t.Helper()
	p.until(expression+" is there and enabled", fmt.Sprintf(`(() => {
		const button = (%s);
		if (!button || button.disabled || !button.checkVisibility({visibilityProperty: true})) return false;
		$$("[data-clicked]").forEach((e) => e.removeAttribute("data-clicked"));
		button.setAttribute("data-clicked", "");
		return true;
	})()`, expression))
	p.click("[data-clicked]")
}

// write replaces the text of a field, as pasting does.
func (p *page) write(selector, text string) {
	p.t.Helper()
	value[bool](p, fmt.Sprintf(`(() => { const field = $(%s); field.focus(); field.select(); return true })()`, quote(selector)))
	_, err := chromedp.Call(p.ctx, input.InsertText, input.InsertTextParams{Text: text})
	p.must(err)
}

// press presses keys, one after the other. A key that the page takes for itself types nothing.
func (p *page) press(keys string, modifiers ...chromedp.Modifier) {
	p.t.Helper()
	for _, key := range keys {
		var text string
		events := kb.Encode(key)
		for _, e := range events {
			if e.Type == input.DispatchKeyEventTypeChar && len(modifiers) == 0 {
				text = e.Text
			}
		}
		for _, e := range events {
			if e.Type == input.DispatchKeyEventTypeChar {
				continue
			}
			for _, m := range modifiers {
				e.Modifiers |= int64(m)
			}
			if e.Type != input.DispatchKeyEventTypeKeyUp {
				e.Type, e.Text = input.DispatchKeyEventTypeKeyDown, text
			}
			_, err := chromedp.Call(p.ctx, input.DispatchKeyEvent, *e)
			p.must(err)
		}
	}
}

func (p *page) reload() {
	p.t.Helper()
	p.must(chromedp.Do(p.ctx, chromedp.Reload()))
	p.until("the page is live", `$("#live").textContent === "live"`)
}

// hide hides the tab from its reader, or shows it again.
func (p *page) hide(hidden bool) {
	p.t.Helper()
	value[bool](p, fmt.Sprintf(`(() => {
		globalThis.isHidden = %t;
		Object.defineProperty(document, "hidden", { configurable: true, get: () => globalThis.isHidden });
		return document.dispatchEvent(new Event("visibilitychange"));
	})()`, hidden))
}

// load makes a module of the page known to expressions, as module.
func (p *page) load(name string) {
	p.t.Helper()
	value[bool](p, `(import(`+quote("/page/"+name)+`).then((loaded) => { globalThis.module = loaded }), true)`)
	p.until("it is loaded", `globalThis.module`)
}

// screenshot leaves a picture in the directory that SCREENSHOTS names.
func (p *page) screenshot(name string) {
	directory := os.Getenv("SCREENSHOTS")
	if directory == "" {
		return
	}
	picture, err := chromedp.Run(p.ctx, chromedp.CaptureScreenshot())
	if err == nil {
		err = os.WriteFile(filepath.Join(directory, name+".png"), picture, 0o644)
	}
	if err != nil {
		p.t.Error(err)
	}
}

func quote(text string) string {
	quoted, err := json.Marshal(text)
	if err != nil {
		panic(err) // a string can be marshalled
	}
	return string(quoted)
}
