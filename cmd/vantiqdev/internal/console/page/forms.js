// The forms to PUBLISH and to SELECT, each with a draft and a history per source.

import { ask, sourcePath } from "./api.js";
import { $, element } from "./dom.js";
import { Editor } from "./editor.js";
import { History } from "./history.js";
import { showRows } from "./result.js";
import { chosenSource, onChange, store } from "./store.js";
import { count, duration, rough } from "./words.js";

const first = { publish: '{"text": "hello"}', select: "" };

class Form {
  constructor(what, optional, send) {
    this.what = what;
    this.element = $(`#${what}-form`);
    this.outcome = $(".outcome", this.element);
    this.drafts = new Map(); // source → text
    this.source = "";
    this.waiting = new Map(); // source → the AbortController of what is on its way
    this.cancel = $(".cancel", this.element);
    this.cancel?.addEventListener("click", () => this.waiting.get(this.source)?.abort());
    this.editor = new Editor(this.element, {
      optional,
      changed: () => this.drafts.set(this.source, this.editor.text),
      send: () => this.send(send),
    });
    this.history = new History(what, this.editor, $(".history", this.element));
  }

  // of makes it the form of a source.
  of(source) {
    if (source !== this.source) {
      this.drafts.set(this.source, this.editor.text);
      this.source = source;
      this.editor.text = this.drafts.get(source) ?? first[this.what];
      this.history.of(source);
      this.tell("");
    }
    this.allow();
  }

  allow() {
    const waiting = this.waiting.has(this.source);
    this.editor.allow(Boolean(this.source) && !waiting);
    if (this.cancel) this.cancel.hidden = !waiting;
  }

  // use puts a text that was seen elsewhere into the form.
  use(text) {
    this.editor.text = text;
    this.drafts.set(this.source, text);
    this.editor.area.focus();
  }

  async send(send) {
    const { source } = this;
    const text = this.editor.text;
    const giveUp = new AbortController();
    this.waiting.set(source, giveUp);
    this.allow();
    this.tell("");
    this.history.add(text);
    const tell = (...what) => source === this.source && this.tell(...what);
    try {
      await send(source, text, giveUp.signal, tell);
    } catch (error) {
      if (giveUp.signal.aborted) tell("Given up.");
      else tell(error.message, "error", error.code, error.parameters);
    }
    this.waiting.delete(source);
    this.allow();
  }

  // tell says what has come of it.
  tell(text, how = "", code = "", parameters = []) {
    this.outcome.className = `outcome ${how}`;
    const more = [];
    if (code) more.push(" ", element("code", {}, code));
    if (parameters.length > 0) more.push(" ", element("code", {}, JSON.stringify(parameters)));
    this.outcome.replaceChildren(text, ...more);
  }
}

async function publish(source, text, signal, tell) {
  const begun = performance.now();
  await ask("POST", sourcePath(source, "publish"), text, signal);
  tell(`Published, in ${duration(performance.now() - begun)}.`, "done");
}

async function select(source, text, signal, tell) {
  const begun = Date.now();
  const waiting = setInterval(() => tell(`Waiting for the answer, ${rough(Date.now() - begun)} so far.`), 1000);
  $("#result").hidden = true;
  try {
    const { rows, ms } = await ask("POST", sourcePath(source, "query"), text.trim() || "{}", signal);
    tell(`${count(rows.length, "row")}, after ${duration(ms)}.`, "done");
    if (source === store.chosen) showRows(rows);
  } finally {
    clearInterval(waiting);
  }
}

// showForms returns a function that puts a text into one of the forms: use("publish", text).
export function showForms() {
  const forms = { publish: new Form("publish", false, publish), select: new Form("select", true, select) };
  let source = null;
  onChange(() => {
    if (source !== null && source !== store.chosen) $("#result").hidden = true;
    source = store.chosen;
    for (const form of Object.values(forms)) form.of(chosenSource()?.name ?? "");
  });
  return (what, text) => forms[what].use(text);
}
