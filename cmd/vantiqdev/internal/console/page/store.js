// What the page knows: the server's state as it last told, and which source the reader has chosen.

import { recall, remember } from "./memory.js";

export const store = {
  server: { url: "", stopped: false },
  sources: [],
  chosen: "", // the name of a source; "" only while there is none
  allSources: false, // shows the traffic of all, not only of the chosen one
  live: false, // the stream is open
  known: false, // whether it is
};

const listeners = [];

// onChange calls listener after each change, and now.
export function onChange(listener) {
  listeners.push(listener);
  listener(store);
}

export function change(what) {
  Object.assign(store, what);
  if (!store.sources.some((source) => source.name === store.chosen)) {
    const last = recall("chosen", "");
    store.chosen = (store.sources.find((source) => source.name === last) ?? store.sources[0])?.name ?? "";
  }
  for (const listener of listeners) listener(store);
}

export function choose(name) {
  remember("chosen", name);
  change({ chosen: name });
}

// learn adds what is known of a source before the server tells it.
export function learn(name, what) {
  const source = sourceNamed(name);
  if (source) change({ sources: store.sources.with(store.sources.indexOf(source), { ...source, ...what }) });
}

export const sourceNamed = (name) => store.sources.find((source) => source.name === name);
export const chosenSource = () => sourceNamed(store.chosen);
