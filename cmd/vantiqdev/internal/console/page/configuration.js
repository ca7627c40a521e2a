// The editor of a source's configuration. What the reader has begun to change is never overwritten by the server's.

import { ask, sourcePath } from "./api.js";
import { $, say } from "./dom.js";
import { Editor } from "./editor.js";
import { pretty } from "./json.js";
import { chosenSource, onChange } from "./store.js";

const form = $("#configuration-form");
const outcome = $(".outcome", form);
const revert = $(".revert", form);
const changed = $("#configuration-changed");

const edits = new Map(); // source → {text, base}: unsaved text, and what it was made from

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
  const config = now ? pretty(JSON.stringify(now.config ?? {})) : "";
  if (other) tell("");
  if (other || config !== theirs) {
    source = name;
    theirs = config;
    // What was saved has arrived; what equals the server's is no edit.
    if (edits.get(source)?.text === theirs || edits.get(source)?.saved === theirs) edits.delete(source);
    const text = edits.get(source)?.text ?? theirs;
    if (editor.text !== text) editor.text = text;
  }
  showEdited();
}

function edited() {
  const { base = theirs } = edits.get(source) ?? {};
  if (editor.text === theirs) edits.delete(source);
  else edits.set(source, { text: editor.text, base });
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
  const edit = edits.get(name);
  if (edit) edit.saved = pretty(text);
  try {
    await ask("PUT", sourcePath(name, "config"), text);
    if (edits.get(name)?.text === text) edits.delete(name);
    if (name === source) {
      showEdited();
      tell("Saved. The connector was asked to reconnect.", "done");
    }
  } catch (error) {
    if (name === source) tell(error.message, "error");
  }
}

function tell(text, how = "") {
  outcome.className = `outcome ${how}`;
  say(outcome, text);
}
