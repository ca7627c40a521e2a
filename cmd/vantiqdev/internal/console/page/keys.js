// The keys, and the sheet that shows them.

import { $, element } from "./dom.js";
import { recall, remember } from "./memory.js";
import { togglePause } from "./pause.js";
import { change, choose, store } from "./store.js";

const keys = [
  ["/", "filter the traffic", () => to("#filter")],
  ["p", "pause, and follow again", togglePause],
  ["t", "go to the traffic; ↑ ↓ move, Enter opens", () => to("#rows .line[tabindex='0']")],
  ["1…9", "choose a source"],
  ["0", "the traffic of all sources, or of one", () => change({ allSources: !store.allSources })],
  ["m", "write a message to PUBLISH", () => to("#publish-text")],
  ["s", "write parameters of a SELECT", () => to("#select-text")],
  ["c", "edit the configuration", () => to("#configuration-text")],
  ["f", "go to the faults", () => to("#fault-list button")],
  ["?", "this sheet", () => sheet.showModal()],
];
const more = [
  ["Ctrl-Enter", "send what is being written"],
  ["Alt-↑ Alt-↓", "what was sent before"],
  ["Esc", "leave a field, close a message"],
];

const sheet = $("#keys");
const single = $("#single-keys");

export function listenToKeys() {
  const list = $("#key-list");
  for (const [key, what] of [...keys, ...more]) list.append(element("dt", {}, element("kbd", {}, key)), element("dd", {}, what));
  $("#keys-open").addEventListener("click", () => sheet.showModal());
  single.checked = recall("singleKeys", true);
  single.addEventListener("change", () => remember("singleKeys", single.checked));
  document.addEventListener("keydown", pressed);
}

function pressed(event) {
  if (event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey || sheet.open) return;
  const writing = event.target.matches("textarea, select, input:not([type=checkbox])");
  if (event.key === "Escape" && writing) event.target.blur();
  if (writing || !single.checked) return;
  if (/^[1-9]$/.test(event.key)) {
    const source = store.sources[event.key - 1];
    if (source) choose(source.name);
    return;
  }
  const found = keys.find(([key]) => key === event.key);
  if (!found?.[2]) return;
  event.preventDefault();
  found[2]();
}

function to(selector) {
  const target = $(selector);
  target?.focus();
  if (target?.type === "search") target.select();
}
