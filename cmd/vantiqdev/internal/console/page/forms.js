// The forms to PUBLISH and to SELECT, each with a draft and a history per source.

import { Answers } from "./answers.js";
import { ask, sourcePath } from "./api.js";
import { $, element } from "./dom.js";
import { Editor } from "./editor.js";
import { History } from "./history.js";
import { showRows } from "./result.js";
import { chosenSource, onChange, store } from "./store.js";
import { count, duration, rough } from "./words.js";

// What a form begins with: the sample of vantiqdev.json, if there is one.
const first = {
  publish: () => store.server.samples?.publish ?? '{"text": "hello"}',
  select: () => store.server.samples?.query ?? "",
};

// How many may wait at a time, of all sources: a browser has six connections to a console. One is the stream's, and one must
// be left to end a fault.
const most = { publish: 1, select: 3 };
const tooMany = {
  publish: "A message waits already, for {0}: give it up first.",
  select: "Three queries wait already, of {0}: give one up first.",
};

class Form {
  // send(source, text, signal, tell) sends a text and returns the answer; meanwhile it may tell how that goes. The answer's rows
  // go to showRows.
  constructor(what, optional, send, showRows = () => {}) {
    this.what = what;
    this.sendText = send;
    this.showRows = showRows;
    this.element = $(`#${what}-form`);
    this.outcome = $(".outcome", this.element);
    this.drafts = new Map(); // source → text
    this.answers = new Answers();
    this.source = "";
    this.waiting = new Map(); // source → the AbortController of what is on its way
    this.cancel = $(".cancel", this.element);
    this.cancel.addEventListener("click", () => this.waiting.get(this.source)?.abort());
    this.editor = new Editor(this.element, {
      optional,
      changed: () => this.drafts.set(this.source, this.editor.text),
      send: () => this.send(),
    });
    this.history = new History(what, this.editor, $(".history", this.element));
  }

  // of makes it the form of a source.
  of(source) {
    if (source !== this.source) {
      this.drafts.set(this.source, this.editor.text);
      this.source = source;
      this.editor.text = this.drafts.get(source) ?? first[this.what]();
      this.history.of(source);
      this.show(this.answers.of(source));
    }
    this.allow();
  }

  allow() {
    const waiting = this.waiting.has(this.source);
    this.editor.allow(Boolean(this.source) && !waiting);
    this.cancel.hidden = !waiting;
  }

  // use puts a text that was seen elsewhere into the form.
  use(text) {
    this.editor.text = text;
    this.drafts.set(this.source, text);
    this.editor.area.focus();
  }

  async send() {
    const { source } = this;
    if (this.waiting.size >= most[this.what]) {
      const who = [...this.waiting.keys()].join(", ");
      this.tell(source, { rows: this.answers.of(source).rows, text: tooMany[this.what].replace("{0}", () => who), how: "error" });
      return;
    }
    const text = this.editor.text;
    const giveUp = new AbortController();
    this.waiting.set(source, giveUp);
    this.allow();
    this.tell(source, { text: "" });
    this.history.add(text);
    try {
      this.tell(source, await this.sendText(source, text, giveUp.signal, (text) => this.tell(source, { text })));
    } catch (error) {
      if (giveUp.signal.aborted) this.tell(source, { text: "Given up." });
      else this.tell(source, { text: error.message, how: "error", code: error.code, parameters: error.parameters });
    }
    this.waiting.delete(source);
    this.allow();
  }

  // tell keeps what has come of it, and shows it if the reader still looks at that source.
  tell(source, answer) {
    this.answers.keep(source, answer);
    if (source === this.source) this.show(answer);
  }

  show({ text, how = "", code, parameters = [], rows = [] }) {
    this.outcome.className = `outcome ${how}`;
    const more = [];
    if (code) more.push(" ", element("code", {}, code));
    if (parameters.some((parameter) => !text.includes(written(parameter)))) more.push(" ", element("code", {}, JSON.stringify(parameters)));
    this.outcome.replaceChildren(text, ...more);
    this.showRows(rows);
  }
}

// written is how a parameter of an error stands in its message.
const written = (parameter) => (typeof parameter === "string" ? parameter : JSON.stringify(parameter));

async function publish(source, text, signal) {
  const begun = performance.now();
  await ask("POST", sourcePath(source, "publish"), text, signal);
  return { text: `Published, in ${duration(performance.now() - begun)}.`, how: "done" };
}

async function select(source, text, signal, tell) {
  const begun = Date.now();
  const waiting = setInterval(() => tell(`Waiting for the answer, ${rough(Date.now() - begun)} so far.`), 1000);
  try {
    const { rows, ms } = await ask("POST", sourcePath(source, "query"), text.trim() || "{}", signal);
    return { text: `${count(rows.length, "row")}, after ${duration(ms)}.`, how: "done", rows, size: JSON.stringify(rows).length };
  } finally {
    clearInterval(waiting);
  }
}

// showForms returns a function that puts a text into one of the forms: use("publish", text).
export function showForms() {
  const forms = { publish: new Form("publish", false, publish), select: new Form("select", true, select, showRows) };
  onChange(() => {
    for (const form of Object.values(forms)) form.of(chosenSource()?.name ?? "");
  });
  return (what, text) => forms[what].use(text);
}
