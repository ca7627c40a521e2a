// What belongs to one query: its SELECT, its partial answers and its answer share a reply address, and on the page a colour.

const colours = 8;
const remembered = 500; // queries without an answer yet

const open = new Map(); // reply address → {colour, partials, certain}, oldest first
let next = 0;

// relate tells an event that belongs to a query which colour the query has, and how many partial answers there have been, as
// far as that is certain.
export function relate(event) {
  let query = open.get(event.address);
  if (!query) {
    query = { colour: next, partials: 0, certain: event.kind === "query sent" };
    next = (next + 1) % colours;
    open.set(event.address, query);
    if (open.size > remembered) open.delete(open.keys().next().value);
  }
  if (event.kind === "partial received") query.partials++;
  event.colour = query.colour;
  event.partials = query.partials;
  event.certain = query.certain;
  if (event.kind === "final received" || event.kind === "query abandoned") open.delete(event.address);
}

// leftOut says that something was left out, which may have been partial answers to any of them.
export function leftOut() {
  for (const query of open.values()) query.certain = false;
}
