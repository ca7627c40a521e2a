package main

import (
	"image/color"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Bars are the bars of one peer in a chart: one for each place on the x axis. Unlike those of the plotting library, they
// stand on the axis, so that it may be logarithmic.
type bars struct {
	values        []float64 // not a number: no bar
	offset, width float64   // from the place, and of a bar; two places are 1 apart
	color         color.Color
	label         func(float64) string // above each bar; nil for none
}

// groupWidth is the part of the distance between two places that is for bars.
const groupWidth = 0.84

// Plot implements [plot.Plotter].
func (b bars) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	style := small(p.X.Tick.Label, draw.XCenter, draw.YBottom)
	for i, value := range b.values {
		if math.IsNaN(value) {
			continue
		}
		center := float64(i) + b.offset
		left, right := x(center-b.width/2), x(center+b.width/2)
		bottom, top := y(p.Y.Min), y(min(value, p.Y.Max))
		c.FillPolygon(b.color, []vg.Point{{X: left, Y: bottom}, {X: left, Y: top}, {X: right, Y: top}, {X: right, Y: bottom}})
		if b.label != nil {
			c.FillText(style, vg.Point{X: (left + right) / 2, Y: top + vg.Points(2)}, b.label(value))
		}
	}
}

// Thumbnail implements [plot.Thumbnailer].
func (b bars) Thumbnail(c *draw.Canvas) {
	left := c.Min.X + vg.Points(6) // from the text, which is wider if a reader has another font
	c.FillPolygon(b.color, []vg.Point{{X: left, Y: c.Min.Y}, {X: left, Y: c.Max.Y}, c.Max, {X: c.Max.X, Y: c.Min.Y}})
}

// Levels are horizontal bars, one for each place on the y axis. What goes beyond the x axis is cut off.
type levels struct {
	values []float64
	color  color.Color
}

// Plot implements [plot.Plotter].
func (l levels) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	style := small(p.X.Tick.Label, draw.XLeft, draw.YCenter)
	for i, value := range l.values {
		shown, label := value, percent(value)
		if longest := 0.9 * p.X.Max; value > longest { // leaves room for the label
			shown, label = longest, "> "+percent(longest)
		}
		left, right := x(0), x(shown)
		bottom, top := y(float64(i)-groupWidth/2), y(float64(i)+groupWidth/2)
		c.FillPolygon(l.color, []vg.Point{{X: left, Y: bottom}, {X: left, Y: top}, {X: right, Y: top}, {X: right, Y: bottom}})
		c.FillText(style, vg.Point{X: right + vg.Points(3), Y: y(float64(i))}, label)
	}
}

// small is a style for the label of a bar.
func small(style draw.TextStyle, x draw.XAlignment, y draw.YAlignment) draw.TextStyle {
	style.Font.Size = vg.Points(7)
	style.XAlign, style.YAlign = x, y
	return style
}
