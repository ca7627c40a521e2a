// The live stream: open while somebody looks at the page, closed while nobody does, and opened again when it is lost.

import { readState } from "./state.js";

const retryAfter = 1000; // ms
const patience = 3000; // ms; the rates come every second

// follow calls the given functions with what the stream tells; again before it tells of another vantiqdev than before, and
// lost when it is lost.
export function follow({ state, traffic, rates, again, lost }) {
  let stream = null;
  let timer = 0;
  let last = 0; // number of the last event seen
  let started = ""; // when the vantiqdev that tells it began

  const open = () => {
    close();
    stream = new EventSource(`/api/stream?after=${last}`);
    const configs = new Map(); // of all sources, as a stream begins with them
    heard();
    on("state", (event) => {
      const told = readState(event.data, configs);
      if (started !== "" && told.server.started !== started) again();
      started = told.server.started;
      state(told);
    });
    on("traffic", (event) => {
      const { events, skipped } = JSON.parse(event.data);
      last = Number(event.lastEventId) || last;
      traffic(events, skipped);
    });
    on("rates", (event) => rates(JSON.parse(event.data)));
    // The browser would try again by itself, but with the number it began with, and not after every kind of failure.
    stream.addEventListener("error", () => {
      close();
      lost();
      timer = setTimeout(open, retryAfter);
    });
  };
  const on = (what, told) =>
    stream.addEventListener(what, (event) => {
      heard();
      told(event);
    });
  // heard has the stream taken for lost when nothing comes any more: a vantiqdev that hangs keeps it open.
  const heard = () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      lost();
      open();
    }, patience);
  };
  const close = () => {
    clearTimeout(timer);
    stream?.close();
    stream = null;
  };

  const look = () => (document.hidden ? close() : open());
  document.addEventListener("visibilitychange", look);
  addEventListener("pagehide", close);
  addEventListener("pageshow", (event) => event.persisted && look());
  look();
}
