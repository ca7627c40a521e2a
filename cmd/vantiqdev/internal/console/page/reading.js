// Reading the traffic: going from row to row, opening one, using its message again.

import { ask } from "./api.js";
import { $, say } from "./dom.js";
import { isGap } from "./kept.js";
import { follow, hold } from "./pause.js";
import { markQuery, messages, rowOf, stopAt } from "./rows.js";

const list = $("#rows");

// letRead calls use(form, source, text) for a message that is to be sent again.
export function letRead(use) {
  list.addEventListener("click", (event) => clicked(event, use));
  list.addEventListener("keydown", pressed);
  list.addEventListener("focusin", focused);
  list.addEventListener("focusout", left);
  list.addEventListener("pointerover", (event) => markQuery(rowOf(event.target)));
  list.addEventListener("pointerleave", () => markQuery(null));
  list.addEventListener("scroll", scrolled, { passive: true });
}

function clicked(event, use) {
  const row = rowOf(event.target);
  if (!row || isGap(row.item)) return;
  const button = event.target.closest("button");
  if (button === row.line) {
    hold("reader");
    stopAt(row);
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

function pressed(event) {
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
  const all = messages();
  const to = all[Math.min(all.length - 1, Math.max(0, all.indexOf(row) + steps[event.key]))];
  stopAt(to);
  to.line.focus();
}

// A row must stay where it is while the keyboard is on it, and while a finger or a button is down on it.
function focused(event) {
  const row = rowOf(event.target);
  markQuery(row);
  if (!row) return;
  hold("focus");
  stopAt(row);
}

// left waits until it is clear where the focus has gone: not away when another window is used meanwhile.
function left() {
  setTimeout(() => list.contains(document.activeElement) || follow("focus"));
}

// Who scrolls up reads; who comes back to the end follows.
let lastTop = 0;
function scrolled() {
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 4;
  const up = list.scrollTop < lastTop;
  lastTop = list.scrollTop;
  if (!atEnd && up) hold("scroll");
  else if (atEnd) follow("scroll");
}
