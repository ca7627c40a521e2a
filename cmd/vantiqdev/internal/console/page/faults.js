// The faults: what a network and a server do to a connector, and what of it is going on.

import { ask, sourcePath } from "./api.js";
import { $, element, say } from "./dom.js";
import { chosenSource, onChange, store } from "./store.js";
import { number } from "./words.js";

// Each has a button, a sentence on what the connector will see, and perhaps an amount. What lasts has a function begun, that
// says how it ends, a function active, that says what is going on or "", and perhaps a body that ends it.
const faults = [
  { title: "Links that end" },
  { label: "Close 1001", says: "Vantiq goes away: a close frame after what was sent, and the connector dials again.", body: () => drop("1001") },
  { label: "Close 1012", says: "Vantiq restarts: the same with another code.", body: () => drop("1012") },
  { label: "FIN", says: "TCP ends without a close frame, after what was sent.", body: () => drop("FIN") },
  { label: "RST", says: "TCP breaks at once. What was just sent may be lost.", body: () => drop("RST") },
  { label: "Vanish", says: "A pulled cable: nothing arrives and nothing closes. Only pings can tell.", body: () => drop("vanish") },
  { title: "Links that are slow" },
  {
    label: "Stall",
    says: "The link stays open, but Vantiq neither reads nor writes.",
    body: () => ({ do: "stall", on: true }),
    begun: () => "on, until you end it, or the connector gives the link up and dials again",
    active: (f) => (f.stalled ? "stalled" : ""),
    end: () => ({ do: "stall", on: false }),
  },
  {
    label: "Acknowledge late",
    says: "The acknowledgements of notifications come so much later; nothing else is held up.",
    amount: { name: "milliseconds", unit: "ms", value: 500, min: 1, max: 60_000 },
    body: (ms) => ({ do: "slow", ms }),
    begun: () => "on, until you end it",
    active: (f) => (f.slowMs ? `${number(f.slowMs)} ms late` : ""),
    end: () => ({ do: "slow", ms: 0 }),
  },
  { title: "Connects" },
  { label: "Ask to reconnect", says: "reconnectRequired: the session ends, and the connector connects again on the same link.", body: () => ({ do: "reconnect" }) },
  {
    label: "Reactivate",
    says: "The next connects are refused as while Vantiq redeploys a source.",
    amount: { name: "connects", unit: "times", value: 3, min: 1, max: 1000 },
    body: (times) => ({ do: "reactivate", times }),
    begun: refused,
    active: (f) => (f.reactivating ? `${number(f.reactivating)} to go` : ""),
    end: () => ({ do: "reactivate", times: 0 }),
  },
  {
    label: "Refuse",
    says: "The next connects are refused with an error; 0 means every one until you end it.",
    amount: { name: "connects", unit: "times", value: 3, min: 0, max: 1000 },
    body: (times) => ({ do: "refuse", times: times || -1 }),
    begun: (times) => (times ? refused(times) : "every connect is refused, until you end it"),
    active: (f) => (f.refusing < 0 ? "every connect" : f.refusing ? `${number(f.refusing)} to go` : ""),
    end: () => ({ do: "refuse", times: 0 }),
  },
  { title: "The whole server" },
  {
    label: "Restart",
    says: "An outage: every link of every source ends, and nobody answers for so long.",
    amount: { name: "seconds", unit: "s", value: 5, min: 0, max: 600 },
    server: true,
    body: (seconds) => ({ seconds }),
    begun: (seconds) => `on, until ${new Date(Date.now() + seconds * 1000).toLocaleTimeString([], { hourCycle: "h23" })}`,
    active: () => (store.server.stopped ? "stopped" : ""),
  },
];

const outcome = $("#fault-outcome");
let going = null; // the fault that lasts of which outcome says how it ends

export function showFaults() {
  const shown = [];
  for (const [i, fault] of faults.entries()) {
    if (fault.title) $("#fault-list").append(element("li", { className: "fault-title" }, element("h3", {}, fault.title)));
    else shown.push(build(fault, i));
  }
  let chosen = null;
  onChange(() => {
    if (store.chosen !== chosen) tell("", ""); // it was about another source
    chosen = store.chosen;
    shown.forEach((show) => show());
  });
}

function refused(times) {
  return times === 1 ? "the next connect is refused" : `the next ${number(times)} connects are refused`;
}

const drop = (how) => ({ do: "drop", how });

// build makes the elements of a fault, and returns the function that shows what of it is going on.
function build(fault, i) {
  const button = element("button", { type: "button", "aria-describedby": `fault-${i}` }, fault.label);
  const active = element("span", { className: "fault-active" });
  const end = element("button", { type: "button", hidden: true, "aria-label": `End: ${fault.label}` }, "End");
  const item = element("li", { className: "fault" }, element("span", { className: "fault-do" }, button));
  let amount = null;
  if (fault.amount) {
    const { name, unit, value, min, max } = fault.amount;
    amount = element("input", { type: "number", value, min, max, step: 1, required: true, "aria-label": `${fault.label}: ${name}` });
    amount.addEventListener("keydown", (event) => event.key === "Enter" && button.click());
    button.after(amount, element("span", { className: "quiet" }, unit));
  }
  item.append(element("span", { id: `fault-${i}`, className: "fault-says" }, fault.says), active, end);
  $("#fault-list").append(item);

  button.addEventListener("click", () => {
    if (amount && !amount.reportValidity()) return;
    const n = amount?.valueAsNumber;
    act(fault, fault.body(n), fault.begun?.(n) ?? "done", fault.begun && fault);
  });
  end.addEventListener("click", () => {
    button.focus();
    act(fault, fault.end(), "ended");
  });
  let was = "";
  return () => {
    const source = chosenSource();
    const text = (source && fault.active?.(source.faults)) || "";
    button.disabled = !fault.server && !source;
    item.classList.toggle("active", text !== "");
    say(active, text);
    end.hidden = text === "" || !fault.end;
    if (was && !text && going === fault) tell("done", `${fault.label}: over.`);
    was = text;
  };
}

// act orders a fault, and then says what has become of it; of one that lasts, until it is over.
async function act(fault, body, become, lasting = null) {
  try {
    await ask("POST", fault.server ? "/api/server/restart" : sourcePath(store.chosen, "fault"), JSON.stringify(body));
    tell("done", `${fault.label}: ${become}.`, lasting);
  } catch (error) {
    tell("error", error.message);
  }
}

function tell(how, text, lasting = null) {
  going = lasting;
  outcome.className = `outcome ${how}`;
  say(outcome, text);
}
