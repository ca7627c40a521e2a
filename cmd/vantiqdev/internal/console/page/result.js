// The rows of an answer, as a table.

import { $, element } from "./dom.js";
import { pretty } from "./json.js";

const mostRows = 200;
const mostColumns = 40;
const longestCell = 300; // characters

export function showRows(rows) {
  const result = $("#result");
  result.hidden = rows.length === 0;
  if (result.hidden) {
    result.replaceChildren();
    return;
  }

  const shown = rows.slice(0, mostRows);
  const columns = [...new Set(shown.flatMap((row) => (isObject(row) ? Object.keys(row) : [])))];
  const values = shown.some((row) => !isObject(row)); // rows that have no members
  const numeric = (name) => shown.every((row) => !isObject(row) || !Object.hasOwn(row, name) || isNumber(row[name]));
  const head = columns.slice(0, mostColumns).map((name) => element("th", { scope: "col", className: numeric(name) ? "number" : "" }, name));
  if (values) head.push(element("th", { scope: "col" }, "value"));
  const body = shown.map((row) => {
    const cells = columns.slice(0, mostColumns).map((name) => cell(isObject(row) && Object.hasOwn(row, name) ? row[name] : undefined));
    if (values) cells.push(cell(isObject(row) ? undefined : row));
    return element("tr", {}, ...cells);
  });

  const left = [];
  if (rows.length > mostRows) left.push(`the first ${mostRows} of ${rows.length} rows`);
  if (columns.length > mostColumns) left.push(`the first ${mostColumns} of ${columns.length} columns`);
  const copy = element("button", { type: "button" }, "Copy as JSON");
  copy.addEventListener("click", async () => {
    await navigator.clipboard.writeText(pretty(JSON.stringify(rows)));
    copy.textContent = "Copied";
  });
  const table = element("table", {}, element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...body));
  result.replaceChildren(table, element("p", { className: "quiet" }, left.length ? `Shown: ${left.join(", ")}. ` : "", copy));
}

// A number that was kept as it was written is an object to JavaScript, but not to the reader.
const isNumber = (value) => typeof value === "number" || Boolean(JSON.isRawJSON?.(value));
const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value) && !isNumber(value);

function cell(value) {
  if (value === undefined) return element("td", { className: "absent" });
  const text = typeof value === "string" ? value : JSON.stringify(value);
  const made = element("td", {}, text.length > longestCell ? text.slice(0, longestCell) + "…" : text);
  if (isNumber(value)) made.className = "number";
  if (text.length > 30) made.title = text.slice(0, 2000);
  return made;
}
