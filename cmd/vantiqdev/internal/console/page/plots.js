// The plots: what happened to the chosen source in each of the last 300 seconds.

import { $, element, say } from "./dom.js";
import { onChange, store } from "./store.js";
import { duration, number } from "./words.js";

const span = 300; // seconds

const plots = [
  { title: "Publishes", unit: "a second", lines: [["publishes", "line"]] },
  { title: "Notifications", unit: "a second", lines: [["notifications", "line"]] },
  { title: "Queries", unit: "a second", lines: [["queries", "line"]] },
  { title: "Answer time", unit: "p50 · max", lines: [["max", "faint"], ["p50", "line"]], time: true },
];

const seconds = new Map(); // of the last span: second since 1970 → {time, sources}
let drawn = [];

export function showPlots() {
  drawn = plots.map(build);
  let chosen = null;
  onChange(() => {
    if (store.chosen !== chosen) {
      chosen = store.chosen;
      draw();
    }
  });
}

// addRates takes in what the stream has told: when it begins, all that is known; then a second at a time, or as many as it was
// held up for.
export function addRates(rates) {
  for (const rate of rates) seconds.set(Math.floor(rate.time / 1000), rate);
  const end = Math.max(...seconds.keys());
  for (const second of seconds.keys()) if (second <= end - span) seconds.delete(second);
  draw();
}

// beginRates forgets what another vantiqdev has told.
export function beginRates() {
  seconds.clear();
}

// recolour draws everything again, in the colours of the present theme.
export function recolour() {
  for (const { plot } of drawn) plot.redraw(false, true);
}

function build({ title, unit, lines, time }) {
  const value = element("p", { className: "plot-value" }, "");
  const place = element("div", { className: "plot-place" });
  const colours = Object.fromEntries(["line", "faint", "grid", "text"].map((name) => [name, element("i", { className: `ink-${name}` })]));
  const figure = element("figure", { className: "plot" }, element("figcaption", {}, element("p", {}, title, element("span", { className: "quiet" }, ` ${unit}`)), value), place);
  figure.append(...Object.values(colours));
  $("#plot-grid").append(figure);

  const colour = (name) => () => getComputedStyle(colours[name]).color;
  const font = "10px system-ui, sans-serif";
  const axis = { stroke: colour("text"), font, ticks: { show: false }, gap: 3 };
  const plot = new uPlot(
    {
      width: 200,
      height: 84,
      padding: [6, 14, 0, 0],
      legend: { show: false },
      cursor: { y: false, points: { size: 5 }, drag: { x: false, y: false }, sync: { key: "plots" } },
      scales: { x: { range: (u) => [u.data[0].at(-1) - span + 1, u.data[0].at(-1)] }, y: { range: (u, min, max) => [0, Math.max(time ? 0.5 : 4, max * 1.1)] } },
      axes: [
        { ...axis, size: 16, space: 44, incrs: [60, 120, 300], grid: { show: false }, values: (u, times) => times.map(clock) },
        { ...axis, size: time ? 44 : 36, space: 22, grid: { stroke: colour("grid"), width: 1 }, values: (u, values) => values.map(time ? shortTime : short) },
      ],
      series: [
        {},
        ...lines.map(([, name]) => ({ stroke: colour(name), width: 1.5, points: time ? { show: true, filter: ends, size: 5, width: 0, fill: colour(name) } : { show: false }, spanGaps: false })),
      ],
      hooks: { setCursor: [show] },
    },
    [[0], ...lines.map(() => [null])],
    place,
  );

  // show says the values under the pointer, or the last.
  function show(u) {
    const at = u.cursor.idx ?? u.data[0].length - 1;
    const values = lines.map((_, i) => u.data[i + 1][at]);
    const text = time ? (values[1] == null ? "–" : `${duration(values[1])} · ${duration(values[0])}`) : number(values[0] ?? 0);
    say(value, text);
    say($("#plots-time"), u.cursor.idx == null ? "last five minutes" : clock(u.data[0][at], true));
  }

  new ResizeObserver(() => {
    const { clientWidth } = place;
    if (clientWidth > 0 && clientWidth !== plot.width) plot.setSize({ width: clientWidth, height: 84 });
  }).observe(place);
  return { plot, lines, time, show };
}

// ends are where dots are drawn: at both ends of each line. A line of a few seconds is hardly wider than one, and would not be
// seen without.
function ends(u, line) {
  const values = u.data[line];
  return values.flatMap((value, i) => (value != null && (values[i - 1] == null || values[i + 1] == null) ? [i] : []));
}

function draw() {
  if (seconds.size === 0) return;
  // A second that nothing is known of is drawn as such.
  const end = Math.max(...seconds.keys());
  const times = Array.from({ length: span }, (_, i) => end - span + 1 + i);
  for (const { plot, lines, time, show } of drawn) {
    const data = lines.map(([name]) =>
      times.map((t) => {
        const rate = seconds.get(t);
        return rate ? (rate.sources[store.chosen]?.[name] ?? (time ? null : 0)) : null;
      }),
    );
    plot.setData([times, ...data]);
    show(plot);
  }
}

function clock(seconds, exact) {
  return new Date(seconds * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: exact === true ? "2-digit" : undefined, hourCycle: "h23" });
}

function short(value) {
  return value >= 1_000_000 ? `${value / 1_000_000}M` : value >= 1000 ? `${value / 1000}k` : String(value);
}

function shortTime(ms) {
  if (ms === 0) return "0"; // beside which the time axis begins
  return ms >= 1000 ? `${short(ms / 1000)} s` : `${ms} ms`;
}
