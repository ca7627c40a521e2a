package checkpoint_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vantiq-go/connectorsdk/checkpoint"
)

type position struct {
	Key   string
	Place int64
}

func open(t *testing.T, directory string) *checkpoint.Store {
	t.Helper()
	store, err := checkpoint.Open(directory)
	if err != nil {
		t.Fatal(err)
	}
	return store
}

func TestAPositionIsFoundByTheNextProcess(t *testing.T) {
	directory := filepath.Join(t.TempDir(), "deep", "state")
	store := open(t, directory)
	names := []string{"orders", "com.example.Orders", "../outside", "a/b", "/", "..", "", "ünï", "a%2Fb", "a:b*?", ".new",
		strings.Repeat("/long", 200) + "/a", strings.Repeat("/long", 200) + "/b"}
	for i, name := range names {
		var got position
		if found, err := store.Load(name, &got); found || err != nil {
			t.Errorf("%q before it was saved: %t, %v", name, found, err)
		}
		for place := range 3 {
			if err := store.Save(name, position{name, int64(10*i + place)}); err != nil {
				t.Errorf("%q: %v", name, err)
			}
		}
	}
	again := open(t, directory)
	for i, name := range names {
		var got position
		if found, err := again.Load(name, &got); !found || err != nil || got != (position{name, int64(10*i + 2)}) {
			t.Errorf("%q: %v, %t, %v", name, got, found, err)
		}
		if err := again.Remove(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
		if found, err := again.Load(name, &got); found || err != nil {
			t.Errorf("%q after it was removed: %t, %v", name, found, err)
		}
		if err := again.Remove(name); err != nil {
			t.Errorf("%q, removed twice: %v", name, err)
		}
	}
	if left, err := os.ReadDir(directory); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v (%v)", left, err)
	}
	if outside, err := os.ReadDir(filepath.Dir(directory)); err != nil || len(outside) != 1 {
		t.Errorf("written outside: %v (%v)", outside, err)
	}
}

func TestADamagedPositionIsAnErrorThatNamesTheFile(t *testing.T) {
	directory := t.TempDir()
	store := open(t, directory)
	for _, damage := range []string{"", "{", `"text"`, "\x00\x00\x00", `{"Place":"x"}`} {
		file := filepath.Join(directory, "orders.json")
		if err := os.WriteFile(file, []byte(damage), 0o600); err != nil {
			t.Fatal(err)
		}
		var got position
		found, err := store.Load("orders", &got)
		if found || err == nil || !strings.Contains(err.Error(), file) || !strings.Contains(err.Error(), "delete it") {
			t.Errorf("%q: %t, %v", damage, found, err)
		}
	}
	if err := store.Save("orders", position{Place: 1}); err != nil { // which mends it
		t.Fatal(err)
	}
}

func TestWhatCannotBeSavedLeavesTheOldPosition(t *testing.T) {
	directory := t.TempDir()
	store := open(t, directory)
	if err := store.Save("orders", position{Place: 1}); err != nil {
		t.Fatal(err)
	}
	if err := store.Save("orders", func() {}); err == nil || !strings.Contains(err.Error(), "orders") {
		t.Errorf("a function is saved: %v", err)
	}
	// A directory in the way of the new file is what a full disk or a lost right is to the old one.
	if err := os.MkdirAll(filepath.Join(directory, "orders.json.new", "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := store.Save("orders", position{Place: 2}); err == nil {
		t.Error("it is saved though it cannot be written")
	}
	var got position
	if found, err := store.Load("orders", &got); !found || err != nil || got.Place != 1 {
		t.Errorf("%v, %t, %v", got, found, err)
	}
}

func TestOpenRefusesADirectoryThatIsNone(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, directory := range []string{file, filepath.Join(file, "below")} {
		if store, err := checkpoint.Open(directory); store != nil || err == nil || !strings.Contains(err.Error(), file) {
			t.Errorf("%s: %v, %v", directory, store, err)
		}
	}
}

// A process that is killed while it saves leaves the last position that was saved, or the one that was about to be.
func TestAKilledProcessLeavesAWholePosition(t *testing.T) {
	if directory := os.Getenv("CHECKPOINT_DIRECTORY"); directory != "" {
		store := open(t, directory)
		for place := int64(1); ; place++ {
			if err := store.Save("orders", position{strings.Repeat("k", int(place%10_000)), place}); err != nil {
				t.Fatal(err)
			}
			fmt.Println("saved", place)
		}
	}
	directory := t.TempDir()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		child := exec.CommandContext(t.Context(), program, "-test.run", t.Name())
		child.Env = append(os.Environ(), "CHECKPOINT_DIRECTORY="+directory)
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		var saved int64
		for range 50 {
			if _, err := fmt.Fscanln(out, new(string), &saved); err != nil {
				t.Fatal(err)
			}
		}
		if err := child.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for {
			var more int64
			if _, err := fmt.Fscanln(out, new(string), &more); err != nil {
				break
			}
			saved = more
		}
		_ = child.Wait() // killed
		var got position
		found, err := open(t, directory).Load("orders", &got)
		if !found || err != nil || got.Place < saved || got.Place > saved+1 || len(got.Key) != int(got.Place%10_000) {
			t.Fatalf("place %d with %d bytes after %d was saved (%v)", got.Place, len(got.Key), saved, err)
		}
	}
}

// What a crash has left of a longer position is no part of a shorter one.
func TestWhatACrashLeftBesideAPositionIsReplaced(t *testing.T) {
	directory := t.TempDir()
	if err := os.WriteFile(filepath.Join(directory, "orders.json.new"), bytes.Repeat([]byte("x"), 1000), 0o600); err != nil {
		t.Fatal(err)
	}
	store := open(t, directory)
	if err := store.Save("orders", position{Place: 1}); err != nil {
		t.Fatal(err)
	}
	var got position
	if found, err := store.Load("orders", &got); !found || err != nil || got.Place != 1 {
		t.Errorf("%v, %t, %v", got, found, err)
	}
}

// An operator looks for a file, and a later version of this package must find it.
func TestAPositionIsInAFileOfItsName(t *testing.T) {
	directory := t.TempDir()
	store := open(t, directory)
	for name, file := range map[string]string{
		"orders":             "orders.json",
		"com.example.Orders": "com.example.Orders.json",
		"a/b c":              "a%2Fb%20c.json",
		"a:b":                "a%3Ab.json", // a colon means something on Windows
	} {
		if err := store.Save(name, position{Key: name}); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(filepath.Join(directory, file))
		if want := `{"Key":"` + name + `","Place":0}` + "\n"; err != nil || string(text) != want {
			t.Errorf("%s: %q (%v)", file, text, err)
		}
	}
}
