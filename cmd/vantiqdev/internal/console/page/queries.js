// What belongs to one query: its SELECT, its partial answers and its answer share a reply address, and here a mark.

const colours = 8;
const remembered = 500; // queries without an answer yet

const partials = new Map(); // reply address → partial answers so far, oldest first

// mark returns the colour and the short name of a reply address.
export function mark(address) {
  let hash = 0;
  for (let i = 0; i < address.length; i++) hash = (hash * 31 + address.charCodeAt(i)) >>> 0;
  return { colour: hash % colours, name: address.slice(-4) };
}

// count keeps count of the partial answers, and returns which one of its query the event is, or how many there were
// before an answer.
export function count(event) {
  const before = partials.get(event.address) ?? 0;
  switch (event.kind) {
    case "query sent":
      partials.set(event.address, 0);
      if (partials.size > remembered) partials.delete(partials.keys().next().value);
      return 0;
    case "partial received":
      if (partials.has(event.address)) partials.set(event.address, before + 1);
      return before + 1;
    case "final received":
    case "query abandoned":
      partials.delete(event.address);
      return before;
    default:
      return 0;
  }
}
