// A row of the traffic. It is filled again and again with other events, so that a flood makes no new elements.

import { element, say } from "./dom.js";
import { pretty } from "./json.js";
import { describe } from "./kinds.js";
import { bytes, count, duration, number, timeOfDay } from "./words.js";

const lineLength = 400; // characters of a body that can possibly fit into a line
const longestError = 2000; // characters of an error when its row is open

export class Row {
  constructor() {
    const cell = (className, more) => element("span", { className, ...more }, "");
    this.time = cell("time");
    this.mark = cell("mark");
    this.arrow = cell("arrow", { "aria-hidden": "true" });
    this.label = cell("label");
    this.source = cell("in");
    this.text = cell("body");
    this.took = cell("took");
    this.line = element("button", { type: "button", className: "line", tabIndex: -1 });
    this.line.append(this.time, this.arrow, this.label, this.mark, this.source, this.text, this.took);
    this.element = element("li", {}, this.line);
  }

  get opened() {
    return this.element.childElementCount > 1;
  }

  // fill makes it the row of an event, or of a gap: {gap: how many were left out}.
  fill(item) {
    this.item = item;
    this.whole = undefined;
    if (this.opened) this.element.lastElementChild.remove();
    if (item.gap !== undefined) {
      this.element.className = "gap";
      this.line.disabled = true;
      say(this.text, item.text ?? `${number(item.gap)} left out`);
      for (const cell of [this.time, this.mark, this.arrow, this.label, this.source, this.took]) say(cell, "");
      return;
    }
    const what = describe(item);
    this.line.disabled = false;
    this.line.setAttribute("aria-expanded", "false");
    this.element.className = what.group;
    this.element.classList.toggle("wrong", what.problem);
    this.element.classList.toggle("ordered", item.kind === "fault");
    say(this.time, timeOfDay(item.time));
    say(this.arrow, what.arrow);
    say(this.label, label(item, what));
    say(this.source, item.source ?? (item.link ? `link ${item.link}` : "all sources"));
    say(this.text, text(item));
    say(this.took, item.ms === undefined ? "" : duration(item.ms));
    if (item.address) {
      this.mark.className = `mark q${item.colour}`;
      say(this.mark, item.address.slice(-4));
    } else {
      this.mark.className = "mark";
      say(this.mark, "");
    }
  }

  // toggle opens the row, with the whole body that fetch brings, or closes it.
  async toggle(fetch) {
    if (this.opened) {
      this.element.lastElementChild.remove();
      this.line.setAttribute("aria-expanded", "false");
      return;
    }
    const { item } = this;
    const body = element("pre", { tabIndex: 0 }, "…");
    const buttons = element("p", { className: "row-buttons" });
    this.element.append(element("div", { className: "whole" }, element("p", { className: "quiet" }, facts(item)), body, buttons));
    this.line.setAttribute("aria-expanded", "true");
    try {
      const whole = await fetch(item);
      if (this.item !== item) return;
      this.whole = whole;
      body.textContent = pretty(whole) || nothing(item);
    } catch (error) {
      this.whole = item.body ?? "";
      body.textContent = `${this.whole}\n\n${error.message}`;
    }
    if (this.whole) buttons.append(element("button", { type: "button", "data-copy": "" }, "Copy"));
    if (item.kind === "publish sent") buttons.append(element("button", { type: "button", "data-use": "publish" }, "Edit and publish again"));
    if (item.kind === "query sent") buttons.append(element("button", { type: "button", "data-use": "select" }, "Edit and select again"));
    body.parentElement.scrollIntoView({ block: "nearest" });
  }

  // body returns as much of the body as is here, laid out.
  body() {
    return pretty(this.whole ?? this.item.body ?? "");
  }
}

function label(event, what) {
  switch (event.kind) {
    case "partial received":
      return event.certain ? `${what.label} ${event.partials}` : what.label;
    case "status sent":
      return `${what.label} ${event.status}`;
    default:
      return what.label;
  }
}

function text(event) {
  const parts = [];
  if (event.error) parts.push(event.error.slice(0, lineLength));
  else if (event.link && !event.body && describe(event).group === "link") parts.push(`link ${event.link}`);
  if (event.kind === "final received" && event.status === 204) parts.push("no rows");
  if (event.kind === "final received" && event.partials) parts.push(`after ${event.certain ? count(event.partials, "partial") : "partials"} ·`);
  if (event.body && !(event.error && event.kind === "final received")) parts.push(event.body.slice(0, lineLength));
  return parts.join(" ");
}

function nothing(event) {
  if (event.kind !== "malformed message") return "no body";
  return "not shown: before the connect, or with words of the handshake in it, it may hold an auth token or a reconnect secret";
}

function facts(event) {
  const parts = [`${event.kind}, ${new Date(event.time).toISOString()}`];
  if (event.link) parts.push(`link ${event.link}`);
  if (event.address) parts.push(`reply address ${event.address}`);
  if (event.status) parts.push(`${event.kind === "link closed" ? "close code" : "status"} ${event.status}`);
  if (event.bytes) parts.push(bytes(event.bytes));
  if (event.error) parts.push(event.error.slice(0, longestError));
  if (event.kind === "malformed message" && event.body) parts.push("it begins with");
  return parts.join(" · ");
}
