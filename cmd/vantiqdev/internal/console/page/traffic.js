// The traffic: the last messages that pass the filter, as they come. However many come, the page keeps a bounded number of
// them, shows the last of those, and touches the document once per frame.

import { ask } from "./api.js";
import { $, element, say } from "./dom.js";
import { matcher } from "./filter.js";
import { groups } from "./kinds.js";
import { recall, remember } from "./memory.js";
import { relate } from "./queries.js";
import { Row } from "./row.js";
import { change, onChange, store } from "./store.js";
import { count, number } from "./words.js";

const kept = 4000; // events and gaps that the filter can go through again
const shown = 250; // rows in the document

const list = $("#rows");
const filter = $("#filter");
const pauseButton = $("#pause");
const newer = $("#newer");

let all = []; // the kept ones, oldest first
let frozen = null; // what all was when the view stopped following it; null while it follows
let pausedBy = ""; // "reader" by the button, "scroll" by scrolling up
let arrived = 0; // since then, as far as they pass the filter
let waiting = []; // for the next frame
let rows = []; // of the document, oldest first
const spare = []; // not in it at the moment
let frame = 0;
let seen = 0;
let leftOut = 0;
let kinds = new Set(recall("kinds", []));
let passes = () => true;
let active = null; // the row that the keyboard is on

export function showTraffic(use) {
  for (const [group, label] of groups) {
    const button = element("button", { type: "button", className: `kind ${group}`, "aria-pressed": String(kinds.has(group)) }, label);
    button.addEventListener("click", () => {
      kinds.has(group) ? kinds.delete(group) : kinds.add(group);
      button.setAttribute("aria-pressed", String(kinds.has(group)));
      remember("kinds", [...kinds]);
      refilter();
    });
    $("#kinds").append(button);
  }
  const allSources = $("#all-sources");
  allSources.addEventListener("change", () => change({ allSources: allSources.checked }));
  filter.addEventListener("input", refilter);
  pauseButton.addEventListener("click", togglePause);
  newer.addEventListener("click", resume);
  $("#clear").addEventListener("click", clear);
  list.addEventListener("scroll", scrolled, { passive: true });
  list.addEventListener("click", (event) => clicked(event, use));
  list.addEventListener("keydown", moved);
  list.addEventListener("pointerover", (event) => markQuery(rowOf(event.target)));
  list.addEventListener("pointerleave", () => markQuery(null));
  list.addEventListener("focusin", (event) => markQuery(rowOf(event.target)));

  let last = "";
  onChange(() => {
    allSources.checked = store.allSources;
    list.classList.toggle("many", store.allSources);
    const now = store.allSources ? "" : store.chosen;
    if (now !== last) {
      last = now;
      refilter();
    }
  });
}

// addTraffic takes in what the stream has told: events, and how many more there were.
export function addTraffic(events, skipped, again) {
  if (again) add({ gap: 0, text: "vantiqdev was started anew" });
  for (const event of events) {
    if (event.address) relate(event);
    add(event);
  }
  if (skipped > 0) add({ gap: skipped });
  seen += events.length;
  leftOut += skipped;
  if (all.length > kept * 1.25) all.splice(0, all.length - kept);
  if (waiting.length > shown * 2) waiting.splice(0, waiting.length - shown);
  draw();
}

function add(item) {
  all.push(item);
  if (item.gap === undefined && !passes(item)) return;
  if (!frozen) waiting.push(item);
  else if (item.gap === undefined) arrived++;
}

function draw() {
  frame ||= requestAnimationFrame(() => {
    frame = 0;
    append(waiting.slice(-shown));
    waiting = [];
    const what = [count(seen, "message")];
    if (leftOut) what.push(`${number(leftOut)} left out`);
    say($("#counts"), what.join(" · "));
    $("#counts").title = leftOut ? "More came than a page can show. All of it went over the link; what was left out is only not shown here." : "";
    newer.hidden = !frozen;
    if (frozen) say(newer, arrived ? `${number(arrived)} newer ↓` : "Follow ↓");
    $("#rows-empty").hidden = rows.length > 0;
    say($("#rows-empty"), all.length > 0 ? "Nothing that came passes the filter." : "Nothing has been said yet.");
  });
}

// append puts items behind the rows that are there, and takes the same number of rows away at the front, to use them again.
function append(items) {
  if (items.length === 0) return;
  const gone = rows.splice(0, Math.max(0, rows.length + items.length - shown));
  const fresh = document.createDocumentFragment();
  for (const item of items) {
    const before = rows.at(-1);
    if (item.gap !== undefined && before?.item.gap !== undefined && !item.text && !before.item.text) {
      before.fill({ gap: before.item.gap + item.gap });
      continue;
    }
    const row = gone.pop() ?? spare.pop() ?? new Row();
    row.fill(item);
    rows.push(row);
    fresh.append(row.element);
  }
  for (const row of gone) row.element.remove();
  spare.push(...gone);
  list.append(fresh);
  if (active && !rows.includes(active)) active = null;
  if (!frozen) list.scrollTop = list.scrollHeight;
  reachable();
}

function refilter() {
  passes = matcher({ source: store.allSources ? "" : store.chosen, kinds, words: filter.value });
  const items = [];
  const from = frozen ?? all;
  for (let i = from.length - 1; i >= 0 && items.length < shown; i--) {
    if (from[i].gap !== undefined || passes(from[i])) items.push(from[i]);
  }
  waiting = [];
  arrived = 0;
  for (const row of rows) row.element.remove();
  spare.push(...rows);
  rows = [];
  active = null;
  append(items.reverse());
  if (frozen) list.scrollTop = list.scrollHeight;
  draw();
}

function clear() {
  all = [];
  frozen &&= [];
  seen = leftOut = 0;
  refilter();
}

// Following and not.

export const togglePause = () => (frozen ? resume() : hold("reader"));

function hold(by) {
  if (by === "reader" || !pausedBy) pausedBy = by;
  if (!frozen) {
    append(waiting.slice(-shown));
    waiting = [];
    frozen = all.slice();
    arrived = 0;
  }
  showPaused();
}

function resume() {
  frozen = null;
  pausedBy = "";
  showPaused();
  refilter();
}

function showPaused() {
  pauseButton.setAttribute("aria-pressed", String(Boolean(frozen)));
  say(pauseButton, frozen ? "Paused" : "Pause");
  draw();
}

let lastTop = 0;
function scrolled() {
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 4;
  const up = list.scrollTop < lastTop;
  lastTop = list.scrollTop;
  if (!atEnd && up && !frozen) hold("scroll");
  else if (atEnd && pausedBy === "scroll") resume();
}

// Rows under the pointer and the keyboard.

function rowOf(target) {
  const element = target.closest?.("li");
  return rows.find((row) => row.element === element) ?? null;
}

function clicked(event, use) {
  const row = rowOf(event.target);
  if (!row || row.item.gap !== undefined) return;
  const button = event.target.closest("button");
  if (button === row.line) {
    hold("reader");
    go(row);
    row.toggle(whole);
  } else if (button?.dataset.use) {
    use(button.dataset.use, row.item.source, row.body());
  } else if (button?.dataset.copy !== undefined) {
    navigator.clipboard?.writeText(row.body()).then(() => say(button, "Copied"));
  }
}

// whole returns the whole body of an event.
async function whole(event) {
  const cut = event.body !== undefined && event.bytes > new TextEncoder().encode(event.body).length;
  return cut ? ((await ask("GET", `/api/events/${event.n}`)).body ?? "") : (event.body ?? "");
}

function moved(event) {
  const steps = { ArrowUp: -1, ArrowDown: 1, PageUp: -10, PageDown: 10, Home: -Infinity, End: Infinity };
  const row = rowOf(event.target);
  if (!row || event.altKey || event.ctrlKey || event.metaKey) return;
  if (event.key === "Escape" && row.opened) {
    event.preventDefault();
    row.toggle(whole);
    row.line.focus();
    return;
  }
  if (!(event.key in steps) || event.target !== row.line) return;
  event.preventDefault();
  hold("reader");
  const lines = rows.filter((row) => row.item.gap === undefined);
  const to = Math.min(lines.length - 1, Math.max(0, lines.indexOf(row) + steps[event.key]));
  go(lines[to]);
  lines[to].line.focus();
}

function go(row) {
  if (active) active.line.tabIndex = -1;
  active = row;
  active.line.tabIndex = 0;
}

// reachable keeps one row in the order of Tab: the one that the keyboard was on, or the last.
function reachable() {
  if (active) return;
  for (const row of rows) if (row.line.tabIndex === 0) row.line.tabIndex = -1;
  const last = rows.findLast((row) => row.item.gap === undefined);
  if (last) last.line.tabIndex = 0;
}

let marked = "";
function markQuery(row) {
  const address = row?.item.address ?? "";
  if (address === marked) return;
  marked = address;
  for (const row of rows) row.element.classList.toggle("related", Boolean(address) && row.item.address === address);
}
