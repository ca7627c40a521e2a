// The console: what happens between a local Vantiq and connectors, and what one can do to them.

import { showConfiguration } from "./configuration.js";
import { $, say } from "./dom.js";
import { showFaults } from "./faults.js";
import { showForms } from "./forms.js";
import { listenToKeys } from "./keys.js";
import { addRates, beginRates, recolour, showPlots } from "./plots.js";
import { showSources } from "./sources.js";
import { change, choose, onChange } from "./store.js";
import { follow } from "./stream.js";
import { themeButton } from "./theme.js";
import { addTraffic, beginTraffic, showTraffic } from "./traffic.js";

themeButton($("#theme"), recolour);
showSources();
const use = showForms();
showTraffic((form, source, text) => {
  if (source) choose(source);
  use(form, text);
});
showConfiguration();
showFaults();
showPlots();
listenToKeys();

onChange(({ live, known, server }) => {
  const [word, why] = !known
    ? ["connecting", ""]
    : !live
      ? ["lost", "The console does not answer; what is shown is from before. The page keeps trying."]
      : server.stopped
        ? ["stopped", server.problem || "The local Vantiq is stopped, as in an outage. It comes back by itself."]
        : ["live", ""];
  say($("#live"), word);
  $("#live").dataset.state = word;
  say($("#lost"), why);
  $("#lost").hidden = why === "";
});

follow({
  state: ({ server, sources }) => change({ server, sources, live: true, known: true }),
  traffic: addTraffic,
  rates: addRates,
  again: () => {
    beginTraffic();
    beginRates();
  },
  lost: () => change({ live: false, known: true }),
});
