package browser_test

import (
	"context"
	"os"
	"os/exec"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"
)

const (
	chromiumVariable = "CHROMIUM" // where it is, if it is not on the PATH
	requireChromium  = "SYSTEMS"  // "required" makes tests fail rather than skip without it
)

var shared struct {
	once sync.Once
	ctx  context.Context
	end  func()
	err  error
}

// chromium returns the browser that the tests share. Each test opens a tab of its own in it.
func chromium(t *testing.T) context.Context {
	t.Helper()
	program := os.Getenv(chromiumVariable)
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if program == "" {
			program, _ = exec.LookPath(name)
		}
	}
	if program == "" {
		if os.Getenv(requireChromium) == "required" {
			t.Fatal("Chromium is not on the PATH: apt-get install chromium, or say where it is by " + chromiumVariable)
		}
		t.Skip("Chromium is not on the PATH; apt-get install chromium, and " + requireChromium + "=required makes this a failure")
	}
	shared.once.Do(func() { shared.ctx, shared.end, shared.err = startBrowser(program) })
	if shared.err != nil {
		t.Fatalf("%s: %v", program, shared.err)
	}
	return shared.ctx
}

func startBrowser(program string) (ctx context.Context, end func(), err error) {
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(program), chromedp.DisableGPU)
	if os.Geteuid() == 0 { // for whom Chromium has no sandbox
		options = append(options, chromedp.NoSandbox)
	}
	allocator, free := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, _ = chromedp.NewContext(allocator)
	if err := chromedp.Do(ctx); err != nil {
		free()
		return nil, nil, err
	}
	return ctx, func() {
		_ = chromedp.Cancel(ctx)
		free()
	}, nil
}

func endBrowser() {
	if shared.end != nil {
		shared.end()
	}
}
