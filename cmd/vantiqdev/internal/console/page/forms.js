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
    this.editor.allow(Boolean(this.source) && !this.busy);
  }

  // use puts a text that was seen elsewhere into the form.
  use(text) {
    this.editor.text = text;
    this.drafts.set(this.source, text);
    this.editor.area.focus();
  }

  async send(send) {
    const { source, editor } = this;
    const text = editor.text;
    this.busy = true;
    this.allow();
    this.tell("");
    this.history.add(text);
    try {
      await send(source, text, this);
    } catch (error) {
      if (source === this.source) this.tell(error.message, "error", error.code, error.parameters);
    }
    this.busy = false;
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

async function publish(source, text, form) {
  const begun = performance.now();
  await ask("POST", sourcePath(source, "publish"), text);
  if (source === form.source) form.tell(`Published, in ${duration(performance.now() - begun)}.`, "done");
}

async function select(source, text, form) {
  const giveUp = new AbortController();
  const cancel = $(".cancel", form.element);
  const begun = Date.now();
  const waiting = setInterval(() => source === form.source && form.tell(`Waiting for the answer, ${rough(Date.now() - begun)} so far.`), 1000);
  cancel.onclick = () => giveUp.abort();
  cancel.hidden = false;
  $("#result").hidden = true;
  try {
    const answer = await ask("POST", sourcePath(source, "query"), text.trim() || "{}", giveUp.signal);
    if (source !== form.source) return;
    form.tell(`${count(answer.rows.length, "row")}, after ${duration(answer.ms)}.`, "done");
    showRows(answer.rows);
  } catch (error) {
    if (!giveUp.signal.aborted) throw error;
    if (source === form.source) form.tell(`Given up after ${rough(Date.now() - begun)}.`);
  } finally {
    clearInterval(waiting);
    cancel.hidden = true;
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
