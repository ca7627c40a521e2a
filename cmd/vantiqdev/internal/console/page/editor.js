// A textarea for a JSON object, checked as one types.

import { $, say } from "./dom.js";
import { check, pretty } from "./json.js";

export class Editor {
  // The form has a textarea, a submit button, a .problem and a .format button. An empty text is fine if optional.
  // changed is called when the reader has changed the text.
  constructor(form, { optional = false, changed = () => {}, send }) {
    this.form = form;
    this.area = $("textarea", form);
    this.problem = $(".problem", form);
    this.submit = $("button[type=submit]", form);
    this.optional = optional;
    this.allowed = true;
    this.area.addEventListener("input", () => {
      this.check();
      changed();
    });
    this.area.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
        event.preventDefault();
        this.form.requestSubmit();
      }
    });
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (this.ready) send();
    });
    $(".format", form).addEventListener("click", () => {
      this.text = pretty(this.text);
      changed();
    });
    this.check();
  }

  get text() {
    return this.area.value;
  }

  set text(text) {
    this.area.value = text;
    this.check();
  }

  get ready() {
    return this.allowed && !this.mistake;
  }

  // allow says whether sending makes sense at all at the moment.
  allow(allowed) {
    this.allowed = allowed;
    this.submit.disabled = !this.ready;
  }

  check() {
    const empty = this.area.value.trim() === "";
    this.mistake = empty && this.optional ? null : check(this.area.value);
    const wrong = Boolean(this.mistake) && !empty;
    this.area.setAttribute("aria-invalid", String(wrong));
    say(this.problem, wrong ? `Line ${this.mistake.line}, column ${this.mistake.column}: ${this.mistake.message}` : "");
    this.submit.disabled = !this.ready;
  }
}
