// Following the traffic, or standing still to read: by the button, by scrolling up, by going to a row.

import { $, say } from "./dom.js";

const button = $("#pause");

const reasons = ["", "focus", "scroll", "reader"]; // to stand still; each outlasts those before it

let reason = ""; // "" while it follows
let changed = () => {};

export const stands = () => reason !== "";

// showPause calls listener when the traffic begins to stand still, and when it follows again.
export function showPause(listener) {
  changed = listener;
  button.addEventListener("click", togglePause);
}

// hold makes it stand still.
export function hold(why) {
  if (reasons.indexOf(why) < reasons.indexOf(reason)) return;
  const began = !reason;
  reason = why;
  if (began) show();
}

// follow follows again; if a reason is given, only if that is why it stands still.
export function follow(why = reason) {
  if (!reason || why !== reason) return;
  reason = "";
  show();
}

export const togglePause = () => (reason ? follow() : hold("reader"));

function show() {
  button.setAttribute("aria-pressed", String(stands()));
  say(button, stands() ? "Paused" : "Pause");
  changed();
}
