// What is shown of the traffic: the chosen source or all, some kinds or all, words that must be there and words that must not.

import { describe } from "./kinds.js";

const looked = 2000; // characters of each part of an event that are gone through

// matcher returns a function that tells whether an event is to be shown. What belongs to no source, because nobody has
// connected yet, always belongs here.
export function matcher({ source, kinds, words }) {
  const all = words.toLowerCase().split(/\s+/).filter(Boolean);
  const wanted = all.filter((word) => !word.startsWith("-"));
  const unwanted = all.filter((word) => word.length > 1 && word.startsWith("-")).map((word) => word.slice(1));
  return (event) => {
    if (source && event.source && event.source !== source) return false;
    const what = describe(event);
    if (kinds.size > 0 && !kinds.has(what.group) && !(what.problem && kinds.has("problem"))) return false;
    if (all.length === 0) return true;
    const parts = [what.label, event.kind, event.source, event.status, event.error, event.address, event.body];
    const text = parts.map((part) => String(part ?? "").slice(0, looked).toLowerCase()).join("\n");
    return wanted.every((word) => text.includes(word)) && !unwanted.some((word) => text.includes(word));
  };
}
