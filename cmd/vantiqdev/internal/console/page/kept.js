// What is kept of the traffic, for a filter to go through again: the last events, and between them the gaps, which are
// {gap: how many were left out} or {gap: 0, text}.

const most = 4000;

let items = []; // oldest first

export const counts = { seen: 0, leftOut: 0 };

export const isGap = (item) => item.gap !== undefined;

export function keep(item) {
  items.push(item);
  if (items.length > most * 1.25) items.splice(0, items.length - most);
  if (isGap(item)) counts.leftOut += item.gap;
  else counts.seen++;
}

// keptBefore returns what came before an item, or everything.
export const keptBefore = (item) => items.slice(0, item === undefined ? undefined : items.lastIndexOf(item));

// keptAfter returns what came after an item; everything if it is no longer kept.
export const keptAfter = (item) => items.slice(items.lastIndexOf(item) + 1);

export const nothingKept = () => items.length === 0;

export function forget() {
  items = [];
  counts.seen = counts.leftOut = 0;
}
