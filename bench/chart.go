package main

import (
	"bytes"
	"flag"
	"fmt"
	"image/color"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"

	"github.com/vantiq-go/connectorsdk/bench/internal/job"
)

// A chart shows a figure of several cases: a place for each case, a bar for each peer.
type chart struct {
	file, title, axis string
	has               func(job.Case) bool
	value             func(all runs, s subject) float64
	format            func(float64) string
	logarithmic       bool
	width             vg.Length
}

var charts = []chart{
	{"throughput.svg", "Throughput", "a second, logarithmic", func(c job.Case) bool {
		return !c.TLS && (c.Kind == job.Publish || c.Kind == job.Query || c.Kind == job.Notify)
	}, medianValue(rate), number, true, 12 * vg.Inch},
	{"latency.svg", "Latency of a query, median", "logarithmic", plain(job.Query), medianValue(p50), duration, true, 8 * vg.Inch},
	{"rows.svg", "Answers of 100,000 rows", "MiB a second", plain(job.Rows), func(all runs, s subject) float64 {
		return all.spread(s, rate).Median / (1 << 20)
	}, number, false, 5 * vg.Inch},
	{"memory.svg", "Memory of each source beyond the first", "KiB of RSS", func(c job.Case) bool {
		return c.Kind == job.Sources && c.Sources > 1
	}, func(all runs, s subject) float64 { return all.perSource(s, rss).Median / (1 << 10) }, number, false, 7 * vg.Inch},
	{"configured.svg", "All sources configured", "logarithmic", plain(job.Sources), medianValue(configured), duration, true, 8 * vg.Inch},
	{"return.svg", "The server is back: last source configured", "logarithmic", plain(job.Restart), medianValue(back), duration, true, 6 * vg.Inch},
	{"tls.svg", "TLS: part of the throughput without", "", func(c job.Case) bool { return c.TLS }, func(all runs, s subject) float64 {
		without := s
		without.Name = s.Plain
		return all.ratio(s, without, rate).Median
	}, decimal, false, 7 * vg.Inch},
}

func medianValue(of func(run) float64) func(runs, subject) float64 {
	return func(all runs, s subject) float64 { return all.spread(s, of).Median }
}

// palette has a color for each peer, in the order in which they are shown. Everybody can tell them apart: they are grey, or
// of those that Okabe and Ito found.
var palette = []struct {
	peer  string
	color color.Color
}{
	{job.Raw, color.Gray{0x8c}},
	{job.JSON, color.Gray{0xc8}},
	{job.SDK, color.RGBA{0x00, 0x72, 0xb2, 0xff}},
	{job.SDKStruct, color.RGBA{0x56, 0xb4, 0xe9, 0xff}},
	{job.SDKVouch, color.RGBA{0xd5, 0x5e, 0x00, 0xff}},
	{job.SDKCodec, color.RGBA{0x00, 0x9e, 0x73, 0xff}},
	{job.Python, color.RGBA{0xe6, 0x9f, 0x00, 0xff}},
}

func chartCommand(args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("bench chart", flag.ContinueOnError)
	flags.SetOutput(stderr)
	directory := flags.String("dir", ".", "the `directory` to write the charts into")
	if err := flags.Parse(args); err != nil {
		return err
	}
	_, all, err := load(flags.Args())
	if err != nil {
		return err
	}
	if err := os.MkdirAll(*directory, 0o755); err != nil { //nolint:gosec // charts are for everybody
		return err
	}
	for _, c := range charts {
		if err := save(c.draw(all), c.width, 4*vg.Inch, *directory, c.file, stdout); err != nil {
			return err
		}
	}
	return save(drawGoals(all), 8*vg.Inch, 6*vg.Inch, *directory, "goals.svg", stdout)
}

// save writes a chart, if there is one, and says so.
func save(p *plot.Plot, width, height vg.Length, directory, file string, stdout io.Writer) error {
	if p == nil {
		return nil
	}
	file = filepath.Join(directory, file)
	picture, err := p.WriterTo(width, height, "svg")
	if err != nil {
		return err
	}
	var text bytes.Buffer
	if _, err := picture.WriteTo(&text); err != nil {
		return err
	}
	// Who has not this font gets one of the same widths, or at least one without serifs.
	svg := bytes.ReplaceAll(text.Bytes(), []byte("font-family:Liberation Sans;"), []byte("font-family:Liberation Sans,Arial,Helvetica,sans-serif;"))
	if err := os.WriteFile(file, svg, 0o644); err != nil { //nolint:gosec // charts are for everybody
		return err
	}
	_, err = fmt.Fprintln(stdout, file)
	return err
}

// draw returns the chart, or nil if there are no runs for it.
func (c chart) draw(all runs) *plot.Plot {
	var places []string
	values := map[string]map[string]float64{} // by peer and case
	for _, s := range all.subjects() {
		value := math.NaN()
		if c.has(s.Case) {
			value = c.value(all, s)
		}
		if math.IsNaN(value) || c.logarithmic && value <= 0 {
			continue
		}
		if !slices.Contains(places, s.Name) {
			places = append(places, s.Name)
		}
		if values[s.peer] == nil {
			values[s.peer] = map[string]float64{}
		}
		values[s.peer][s.Name] = value
	}
	if len(places) == 0 {
		return nil
	}
	p := newPlot(c.title, c.axis)
	p.NominalX(places...)
	// The legend stands to the right of the last place.
	p.X.Min, p.X.Max = -0.5, float64(len(places))*(1+float64(vg.Inch/c.width))-0.5
	p.Y.Tick.Marker = labelled{plot.DefaultTicks{}, c.format}
	width := groupWidth / float64(len(values))
	offset := (width - groupWidth) / 2
	for _, known := range palette {
		if values[known.peer] == nil {
			continue
		}
		b := bars{offset: offset, width: width * 0.92, color: known.color}
		offset += width
		if len(places)*len(values) <= 24 {
			b.label = c.format
		}
		for _, place := range places {
			value, ok := values[known.peer][place]
			if !ok {
				value = math.NaN()
			}
			b.values = append(b.values, value)
		}
		c.scale(p, b.values)
		p.Add(b)
		p.Legend.Add(known.peer, b)
	}
	return p
}

// scale makes the y axis long enough for some values.
func (c chart) scale(p *plot.Plot, values []float64) {
	for _, value := range values {
		switch {
		case math.IsNaN(value):
		case c.logarithmic:
			p.Y.Scale, p.Y.Tick.Marker = plot.LogScale{}, labelled{plot.LogTicks{Prec: 1}, c.format}
			p.Y.Min = min(p.Y.Min, math.Pow(10, math.Floor(math.Log10(value))))
			p.Y.Max = max(p.Y.Max, value*1.6)
		default:
			p.Y.Min = 0
			p.Y.Max = max(p.Y.Max, value*1.1)
		}
	}
}

// drawGoals returns how much of each goal is reached, or nil if there are no runs for any.
func drawGoals(all runs) *plot.Plot {
	var places []string
	reached := levels{color: palette[2].color}
	for _, g := range slices.Backward(goals) { // the first one stands on top
		if part := g.part(all); !math.IsNaN(part) {
			places = append(places, g.String())
			reached.values = append(reached.values, part)
		}
	}
	if len(places) == 0 {
		return nil
	}
	p := newPlot("How much of each goal is reached", "")
	p.NominalY(places...)
	p.Y.Tick.Label.Font.Size, p.Y.Padding = vg.Points(9), vg.Points(12)
	p.Y.Min, p.Y.Max = -0.5, float64(len(places))-0.5
	p.X.Min, p.X.Max = -0.2, 2.5 // room for names in a wider font than ours
	p.X.Tick.Marker = labelled{plot.ConstantTicks{{Value: 0, Label: "0"}, {Value: 1, Label: "1"}, {Value: 2, Label: "2"}}, percent}
	goal, err := plotter.NewLine(plotter.XYs{{X: 1, Y: p.Y.Min}, {X: 1, Y: p.Y.Max}})
	if err != nil {
		panic(err) // there are points, and they are finite
	}
	goal.Width, goal.Dashes = vg.Points(1), []vg.Length{vg.Points(4), vg.Points(3)}
	p.Add(reached, goal)
	return p
}

func newPlot(title, axis string) *plot.Plot {
	plot.DefaultFont = font.Font{Typeface: "Liberation", Variant: "Sans"}
	p := plot.New()
	p.Title.Text, p.Y.Label.Text = title, axis
	p.Title.Padding = vg.Points(8)
	p.BackgroundColor = color.White // also on a dark page
	p.Legend.Top = true
	p.Legend.ThumbnailWidth, p.Legend.Padding = vg.Points(15), vg.Points(3)
	p.Legend.TextStyle.Font.Size = vg.Points(9)
	grid := plotter.NewGrid()
	grid.Vertical.Width = 0
	grid.Horizontal.Color = color.Gray{0xe0}
	p.Add(grid)
	return p
}

// labelled are ticks with labels of one's own.
type labelled struct {
	plot.Ticker
	format func(float64) string
}

// Ticks implements [plot.Ticker].
func (l labelled) Ticks(low, high float64) []plot.Tick {
	ticks := l.Ticker.Ticks(low, high)
	for i := range ticks {
		if ticks[i].Label != "" {
			ticks[i].Label = l.format(ticks[i].Value)
		}
	}
	return ticks
}
