// The rows of the traffic in the document: a bounded number of them, used again and again.

import { $ } from "./dom.js";
import { isGap } from "./kept.js";
import { Row } from "./row.js";

export const mostRows = 300; // more than the stream tells at a time, so that what it left out is in sight

const list = $("#rows");

let rows = []; // oldest first
const spare = []; // not in the document at the moment
let current = null; // the row that the keyboard is on

// appendRows puts items behind the rows that are there, and takes the same number of rows away at the front.
export function appendRows(items) {
  if (items.length === 0) return;
  const gone = rows.splice(0, Math.max(0, rows.length + items.length - mostRows));
  const fresh = document.createDocumentFragment();
  for (const item of items) {
    const before = rows.at(-1);
    if (before && onlyCounts(item) && onlyCounts(before.item)) {
      before.fill({ gap: before.item.gap + item.gap });
      continue;
    }
    const row = gone.pop() ?? spare.pop() ?? new Row();
    row.fill(item);
    rows.push(row);
    fresh.append(row.element);
  }
  for (const row of gone) row.element.remove();
  spare.push(...gone);
  list.append(fresh);
  if (!rows.includes(current)) current = null;
  reachable();
}

const onlyCounts = (item) => isGap(item) && !item.text;

export function replaceRows(items) {
  for (const row of rows) row.element.remove();
  spare.push(...rows);
  rows = [];
  current = null;
  appendRows(items);
}

export function showLastRow() {
  list.scrollTop = list.scrollHeight;
}

export const noRows = () => rows.length === 0;

// messages returns the rows that are no gaps.
export const messages = () => rows.filter((row) => !isGap(row.item));

// rowOf returns the row that an element is in, or null.
export function rowOf(target) {
  const element = target.closest?.("li");
  return rows.find((row) => row.element === element) ?? null;
}

// stopAt makes a row the one that Tab goes to.
export function stopAt(row) {
  if (current) current.line.tabIndex = -1;
  current = row;
  reachable();
}

// reachable keeps one row in the order of Tab: the one that the keyboard was on, or the last.
function reachable() {
  const stop = current ?? rows.findLast((row) => !isGap(row.item));
  for (const row of rows) {
    const tabIndex = row === stop ? 0 : -1;
    if (row.line.tabIndex !== tabIndex) row.line.tabIndex = tabIndex;
  }
}

let marked = "";

// markQuery marks all rows of the query that a row belongs to; null unmarks them.
export function markQuery(row) {
  const address = row?.item.address ?? "";
  if (address === marked) return;
  marked = address;
  for (const row of rows) row.element.classList.toggle("related", Boolean(address) && row.item.address === address);
}
