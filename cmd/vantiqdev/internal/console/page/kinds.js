// The kinds of events, in the words and with the arrows of a VAIL author: ← Vantiq says it, → the connector says it.

export const groups = [
  ["publish", "Publishes"],
  ["query", "Queries"],
  ["notification", "Notifications"],
  ["status", "Statuses"],
  ["link", "Links"],
  ["problem", "Problems"],
];

const kinds = {
  "publish sent": ["publish", "←", "PUBLISH"],
  "query sent": ["query", "←", "SELECT"],
  "partial received": ["query", "→", "partial"],
  "final received": ["query", "→", "answer"],
  "query abandoned": ["query", "×", "no answer"],
  "stray response": ["query", "×", "stray answer"],
  "notification received": ["notification", "→", "notification"],
  "status sent": ["status", "←", "status"],
  "ping received": ["status", "→", "ping"],
  "link opened": ["link", "·", "link opened"],
  "link closed": ["link", "·", "link closed"],
  validated: ["link", "·", "token accepted"],
  "connect accepted": ["link", "·", "connected"],
  configured: ["link", "←", "configuration"],
  "reconnect required": ["link", "←", "reconnect required"],
  usurped: ["link", "·", "usurped"],
  "upgrade refused": ["link", "×", "upgrade refused"],
  "validate rejected": ["link", "×", "token rejected"],
  "connect refused": ["link", "×", "connect refused"],
  "connect ignored": ["link", "×", "connect ignored"],
  fault: ["link", "·", "fault"],
};

// describe returns what an event is: its group, arrow and label, and whether it is a problem.
export function describe(event) {
  const [group, arrow, label] = kinds[event.kind] ?? ["problem", "×", event.kind];
  // A link that ends says why; whether that is a problem depends on who wanted it, so only its code can tell.
  const ended = event.kind === "link closed";
  const told = event.kind === "fault"; // its error is what was asked for
  const problem = arrow === "×" || (event.error && !ended && !told) || (ended && !/\b100[01]\b/.test(event.error ?? ""));
  if (event.kind === "final received" && event.error) return { group, arrow: "×", label: "error answer", problem };
  return { group, arrow, label, problem: Boolean(problem) };
}
