// The state as the server tells it. A configuration, or a sample, stays text, laid out: as an object, JavaScript would put
// members whose names look like integers first, and keep one of two that have the same name.

import { lay, read } from "./json.js";

// readState adds to the configurations that the text leaves out, as they are as before, those of known, and keeps in known
// (source → configuration) what it says: pass the same one for all texts of a stream.
export function readState(text, known) {
  const state = JSON.parse(text);
  const written = documents(text);
  for (const [i, source] of state.sources.entries()) {
    if ("config" in source) known.set(source.name, written?.configs[i] ?? JSON.stringify(source.config));
    source.config = known.get(source.name);
  }
  state.server.samples = written?.samples ?? {};
  return state;
}

// documents returns the configurations of all sources that have one there, and the samples, or null if one of them is nested
// too deep to be laid out.
function documents(text) {
  try {
    const state = read(text.replace(escaped, plain));
    return {
      configs: member(state, "sources").items.map(({ value }) => laid(member(value, "config"))),
      samples: Object.fromEntries(member(member(state, "server"), "samples").items.map(({ key, value }) => [JSON.parse(key), lay(value)])),
    };
  } catch {
    return null;
  }
}

// The server writes <, > and & as they are safe in HTML, which this text never becomes.
const escaped = /\\(u003c|u003e|u0026|u2028|u2029|.)/g;
const plain = (pair, what) => (what.length > 1 ? JSON.parse(`"${pair}"`) : pair);

const member = (object, name) => object.items.find(({ key }) => key === `"${name}"`)?.value;
const laid = (value) => value && lay(value);
