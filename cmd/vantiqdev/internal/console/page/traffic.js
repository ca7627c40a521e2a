// The traffic: the last messages that pass the filter, as they come. However many come, the page keeps a bounded number of
// them, shows the last of those, and touches the document once per frame.

import { $, element, say } from "./dom.js";
import { matcher } from "./filter.js";
import { counts, forget, isGap, keep, keptAfter, keptBefore, nothingKept } from "./kept.js";
import { groups } from "./kinds.js";
import { recall, remember } from "./memory.js";
import { follow, showPause, stands } from "./pause.js";
import { leftOut, relate } from "./queries.js";
import { letRead } from "./reading.js";
import { appendRows, mostRows, noRows, replaceRows, showLastRow } from "./rows.js";
import { change, onChange, store } from "./store.js";
import { count, number } from "./words.js";

const filter = $("#filter");
const newer = $("#newer");

let standing = []; // what is looked at while the view stands still
let arrived = 0; // what came since then, as far as it passes the filter
let waiting = []; // for the next frame
let frame = 0;
let kinds = new Set(recall("kinds", []));
let passes = () => true;

// showTraffic calls use(form, source, text) for a message that is to be sent again.
export function showTraffic(use) {
  for (const [group, label] of groups) showKind(group, label);
  filter.addEventListener("input", refilter);
  newer.addEventListener("click", () => follow());
  $("#clear").addEventListener("click", clear);
  showPause(paused);
  letRead(use);

  const allSources = $("#all-sources");
  allSources.addEventListener("change", () => change({ allSources: allSources.checked }));
  let last = "";
  onChange(() => {
    allSources.checked = store.allSources;
    $("#rows").classList.toggle("many", store.allSources);
    const now = store.allSources ? "" : store.chosen;
    if (now !== last) {
      last = now;
      refilter();
    }
  });
}

function showKind(group, label) {
  const button = element("button", { type: "button", className: `kind ${group}`, "aria-pressed": String(kinds.has(group)) }, label);
  button.addEventListener("click", () => {
    kinds.has(group) ? kinds.delete(group) : kinds.add(group);
    button.setAttribute("aria-pressed", String(kinds.has(group)));
    remember("kinds", [...kinds]);
    refilter();
  });
  $("#kinds").append(button);
}

// addTraffic takes in what the stream has told: events, and how many there were before them that were left out.
export function addTraffic(events, skipped) {
  if (skipped > 0) {
    leftOut();
    add({ gap: skipped });
  }
  for (const event of events) {
    if (event.address) relate(event);
    add(event);
  }
  draw();
}

// beginTraffic says that what comes from now on is told by another vantiqdev.
export function beginTraffic() {
  add({ gap: 0, text: "vantiqdev was started anew" });
  draw();
}

function add(item) {
  keep(item);
  if (!isGap(item) && !passes(item)) return;
  if (!stands()) waiting.push(item);
  else if (!isGap(item)) arrived++;
  if (waiting.length > mostRows * 2) waiting.splice(0, waiting.length - mostRows);
}

function draw() {
  frame ||= requestAnimationFrame(() => {
    frame = 0;
    appendRows(waiting.slice(-mostRows));
    if (waiting.length > 0) showLastRow();
    waiting = [];
    const what = [count(counts.seen, "message")];
    if (counts.leftOut) what.push(`${number(counts.leftOut)} left out`);
    say($("#counts"), what.join(" · "));
    $("#counts").title = counts.leftOut ? "More came than a page can show. All of it went over the link; what was left out is only not shown here." : "";
    newer.hidden = !stands();
    if (stands()) say(newer, arrived ? `${number(arrived)} newer ↓` : "Follow ↓");
    $("#rows-empty").hidden = !noRows();
    say($("#rows-empty"), nothingKept() ? "Nothing has been said yet." : "Nothing that came passes the filter.");
  });
}

// paused is called when the view begins to stand still, and when it follows again. What was not drawn by then is newer than
// what is looked at: to draw it could take the row away that the reader is on.
function paused() {
  if (stands()) {
    standing = keptBefore(waiting[0]);
    arrived = waiting.filter((item) => !isGap(item)).length;
    waiting = [];
    draw();
  } else {
    standing = [];
    refilter();
  }
}

function refilter() {
  passes = matcher({ source: store.allSources ? "" : store.chosen, kinds, words: filter.value });
  const items = [];
  const from = stands() ? standing : keptBefore();
  for (let i = from.length - 1; i >= 0 && items.length < mostRows; i--) {
    if (isGap(from[i]) || passes(from[i])) items.push(from[i]);
  }
  arrived = stands() ? keptAfter(standing.at(-1)).filter((item) => !isGap(item) && passes(item)).length : 0;
  waiting = [];
  replaceRows(items.reverse());
  showLastRow();
  draw();
}

function clear() {
  forget();
  standing = [];
  refilter();
}
