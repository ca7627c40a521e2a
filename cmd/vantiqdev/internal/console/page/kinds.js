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
  usurped: ["link", "×", "usurped"],
  "upgrade refused": ["link", "×", "upgrade refused"],
  "validate rejected": ["link", "×", "token rejected"],
  "connect refused": ["link", "×", "connect refused"],
  "connect ignored": ["link", "×", "connect ignored"],
  fault: ["link", "·", "fault"],
};

// describe returns what an event is: its group, arrow and label, and whether it is a problem.
export function describe(event) {
  const [group, arrow, label] = kinds[event.kind] ?? ["problem", "×", event.kind];
  const problem = Boolean(event.problem);
  if (event.kind === "final received" && problem) return { group, arrow: "×", label: "error answer", problem };
  return { group, arrow, label, problem };
}
