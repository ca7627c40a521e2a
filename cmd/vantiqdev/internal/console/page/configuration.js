// The editor of a source's configuration. What the reader has begun to change is never overwritten by the server's.

import { ask, sourcePath } from "./api.js";
import { $, say } from "./dom.js";
import { Editor } from "./editor.js";
import { pretty } from "./json.js";
import { chosenSource, learn, onChange, sourceNamed } from "./store.js";

const form = $("#configuration-form");
const outcome = $(".outcome", form);
const revert = $(".revert", form);
const changed = $("#configuration-changed");

// source → what the reader has written and not saved: {text, base: the configuration that it was made from, saved: what was
// saved of it meanwhile}.
const edits = new Map();

let source = "";
let theirs = ""; // the server's, laid out
let editor;

export function showConfiguration() {
  editor = new Editor(form, { changed: edited, send: save });
  revert.addEventListener("click", discard);
  $("#configuration-theirs").addEventListener("click", discard);
  onChange(show);
}

function show() {
  const now = chosenSource();
  const name = now?.name ?? "";
  const other = name !== source;
  const config = now?.config ?? "";
  if (other) tell("");
  if (other || config !== theirs) {
    source = name;
    theirs = config;
    const edit = edits.get(source);
    if (edit?.saved === theirs) edit.base = theirs; // the change is the reader's own
    if (edit && pretty(edit.text) === theirs) edits.delete(source);
    const text = edits.get(source)?.text ?? theirs;
    if (editor.text !== text) editor.text = text;
  }
  showEdited();
}

function edited() {
  const { base = theirs, saved } = edits.get(source) ?? {};
  if (editor.text === theirs) edits.delete(source);
  else edits.set(source, { text: editor.text, base, saved });
  tell("");
  showEdited();
}

function showEdited() {
  const edit = edits.get(source);
  revert.hidden = !edit;
  changed.hidden = !edit || edit.base === theirs;
  editor.allow(Boolean(source));
}

function discard() {
  edits.delete(source);
  editor.text = theirs;
  showEdited();
  editor.area.focus();
}

async function save() {
  const name = source;
  const text = editor.text;
  const before = sourceNamed(name)?.config;
  const connected = Boolean(sourceNamed(name)?.connected);
  const edit = edits.get(name);
  if (edit) edit.saved = pretty(text);
  try {
    await ask("PUT", sourcePath(name, "config"), text);
    if (edits.get(name)?.text === text) edits.delete(name);
    // Until the next state comes, this is what the server has; unless one has come already.
    if (sourceNamed(name)?.config === before) learn(name, { config: pretty(text) });
    if (name === source) {
      showEdited();
      tell(connected ? "Saved. The connector was asked to reconnect." : "Saved, for the next connector.", "done");
    }
  } catch (error) {
    if (name === source) tell(error.message, "error");
  }
}

function tell(text, how = "") {
  outcome.className = `outcome ${how}`;
  say(outcome, text);
}
