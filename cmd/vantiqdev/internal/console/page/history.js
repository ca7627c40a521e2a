// What was sent to each source before: in a menu, and by Alt-Up and Alt-Down.

import { element } from "./dom.js";
import { recall, remember } from "./memory.js";

const most = 30; // entries of a source
const longest = 20_000; // characters of an entry; what is longer is not kept

export class History {
  constructor(what, editor, menu) {
    this.what = what;
    this.editor = editor;
    this.menu = menu;
    this.entries = [];
    this.at = -1; // the entry in the editor; -1 for what is not sent yet
    this.texts = new Map(); // at → what the reader has made of it, until something is sent
    menu.addEventListener("change", () => {
      if (menu.value !== "") this.go(Number(menu.value));
      menu.value = "";
      editor.area.focus();
    });
    editor.area.addEventListener("keydown", (event) => {
      if (!event.altKey || (event.key !== "ArrowUp" && event.key !== "ArrowDown")) return;
      event.preventDefault();
      this.go(this.at + (event.key === "ArrowUp" ? 1 : -1));
    });
  }

  // of shows the history of a source.
  of(source) {
    this.key = `history.${this.what}.${source}`;
    this.entries = recall(this.key, []);
    this.show();
  }

  add(text) {
    if (text.trim() === "" || text.length > longest) return;
    this.entries = [text, ...this.entries.filter((entry) => entry !== text)].slice(0, most);
    remember(this.key, this.entries);
    this.show();
  }

  go(to) {
    if (to < -1 || to >= this.entries.length) return;
    this.texts.set(this.at, this.editor.text);
    this.at = to;
    this.editor.text = this.texts.get(to) ?? this.entries[to];
  }

  show() {
    this.at = -1;
    this.texts.clear();
    const options = this.entries.map((entry, i) => element("option", { value: String(i) }, entry.replace(/\s+/g, " ").slice(0, 80)));
    const title = this.entries.length ? `History (${this.entries.length})` : "No history";
    this.menu.replaceChildren(element("option", { value: "" }, title), ...options);
    this.menu.value = "";
    this.menu.disabled = this.entries.length === 0;
  }
}
