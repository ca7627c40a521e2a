// The live stream: open while somebody looks at the page, closed while nobody does, and opened again when it is lost.

import { parse } from "./json.js";

const retryAfter = 1000; // ms

// follow calls the given functions with what the stream tells; live with whether it is open.
export function follow({ state, traffic, rates, live }) {
  let stream = null;
  let retry = 0;
  let last = 0; // number of the last event seen
  let started = ""; // when the vantiqdev that tells it began
  let another = false; // it is another one than before, and has told of no traffic yet

  const open = () => {
    close();
    stream = new EventSource(`/api/stream?after=${last}`);
    stream.addEventListener("state", (event) => {
      const told = parse(event.data);
      another ||= started !== "" && told.server.started !== started;
      started = told.server.started;
      live(true);
      state(told);
    });
    stream.addEventListener("traffic", (event) => {
      const { events, skipped } = JSON.parse(event.data);
      last = Number(event.lastEventId) || last;
      traffic(events, skipped, another);
      another = false;
    });
    stream.addEventListener("rates", (event) => rates(JSON.parse(event.data)));
    // The browser would try again by itself, but with the number it began with, and not after every kind of failure.
    stream.addEventListener("error", () => {
      close();
      live(false);
      retry = setTimeout(open, retryAfter);
    });
  };
  const close = () => {
    clearTimeout(retry);
    stream?.close();
    stream = null;
  };

  const look = () => (document.hidden ? close() : open());
  document.addEventListener("visibilitychange", look);
  addEventListener("pagehide", close);
  addEventListener("pageshow", (event) => event.persisted && look());
  look();
}
