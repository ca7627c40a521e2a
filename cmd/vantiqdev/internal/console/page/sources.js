// The list of sources: who is connected to each, since when, from where, and what is being done to it.

import { $, $$, element, list, say } from "./dom.js";
import { choose, chosenSource, onChange, store } from "./store.js";
import { count, number, rough } from "./words.js";

const items = new Map(); // name → its elements

export function showSources() {
  onChange(show);
  // "since" goes on without the server.
  setInterval(() => document.hidden || showTimes(), 1000);
}

function show() {
  const names = store.sources.map((source) => source.name);
  if (names.join("\n") !== [...items.keys()].join("\n")) build(names);
  for (const [i, source] of store.sources.entries()) showSource(source, i);
  showTimes();
  for (const where of $$(".chosen")) say(where, store.chosen || "no source");
  say($("#server-url"), store.server.url || "…");
  $("#no-sources").hidden = names.length > 0 || !store.server.url;
  showHow(chosenSource());
}

function build(names) {
  items.clear();
  for (const name of names) {
    const parts = {
      button: element("button", { type: "button", className: "source" }),
      key: element("kbd", { className: "source-key" }),
      name: element("span", { className: "source-name" }, name),
      state: element("span", { className: "source-state" }),
      peer: element("span", { className: "source-peer" }),
      totals: element("span", { className: "source-totals" }),
      faults: element("span", { className: "source-faults" }),
    };
    parts.button.append(parts.key, parts.name, parts.state, parts.peer, parts.totals, parts.faults);
    parts.button.addEventListener("click", () => choose(name));
    items.set(name, parts);
  }
  $("#source-list").replaceChildren(...[...items.values()].map((parts) => element("li", {}, parts.button)));
}

function showSource(source, i) {
  const parts = items.get(source.name);
  const chosen = source.name === store.chosen;
  parts.button.setAttribute("aria-current", chosen ? "true" : "false");
  parts.button.classList.toggle("connected", source.connected);
  const key = i < 9 ? String(i + 1) : "";
  say(parts.key, key);
  parts.key.title = `Key ${key} chooses this source`;
  list(parts.peer, source.connected ? [source.sdk, source.peer].filter(Boolean) : []);
  parts.button.title = source.agent ?? "";
  const t = source.totals;
  list(parts.totals, [
    t.publishes && `${number(t.publishes)} published`,
    t.notifications && count(t.notifications, "notification"),
    t.queries && count(t.queries, "query", "queries"),
    t.problems && problems(t),
  ].filter(Boolean));
  parts.totals.title = t.problems ? "Problems: what the filter of that name shows of this source." : "";
  list(parts.faults, activeFaults(source.faults));
}

// problems says how many there were, and how many of which kinds.
function problems(t) {
  const kinds = [t.failed && count(t.failed, "failed query", "failed queries"), t.refusals && count(t.refusals, "refusal")].filter(Boolean);
  return count(t.problems, "problem") + (kinds.length ? ` (${kinds.join(", ")})` : "");
}

function showTimes() {
  for (const source of store.sources) {
    const parts = items.get(source.name);
    const reconnects = Math.max(0, source.sessions - 1);
    let text = source.connected ? "connected" : "not connected";
    if (source.connected && source.since) text += ` ${rough(Date.now() - Date.parse(source.since))}`;
    list(parts.state, reconnects ? [text, count(reconnects, "reconnect")] : [text]);
  }
}

// activeFaults names what is being done to a source.
function activeFaults(faults) {
  const times = (n) => (n < 0 ? "every connect" : count(n, "connect"));
  return [
    faults.stalled && "stalled",
    faults.refusing !== 0 && `refusing ${times(faults.refusing)}`,
    faults.reactivating !== 0 && `reactivating, ${times(faults.reactivating)}`,
    faults.slowMs !== 0 && `acknowledging after ${number(faults.slowMs)} ms`,
  ].filter(Boolean);
}

function showHow(source) {
  const how = $("#how-to-connect");
  how.hidden = !source || source.connected || source.sessions > 0;
  if (how.hidden) return;
  say($("#how-name"), source.name);
  say($("#how-config"), `targetServer=${store.server.url}\nauthToken=…\nsources=${source.name}`);
}
