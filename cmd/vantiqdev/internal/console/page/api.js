// Requests to the console.

import { parse } from "./json.js";

// A Refused says why a request did not succeed: its message is for people.
export class Refused extends Error {
  constructor(message, code, parameters) {
    super(message);
    this.code = code;
    this.parameters = parameters ?? [];
  }
}

// ask sends a request, with a body that is JSON text, and returns the answer, or null if there is none.
export async function ask(method, path, body, signal) {
  let response;
  try {
    response = await fetch(path, {
      method,
      body,
      signal,
      headers: body === undefined ? {} : { "Content-Type": "application/json" },
    });
  } catch (cause) {
    if (signal?.aborted) throw cause;
    throw new Refused("The console does not answer. Is vantiqdev still running?");
  }
  const text = await response.text();
  if (response.ok) return text === "" ? null : parse(text);
  let error = {};
  try {
    error = parse(text).error ?? {};
  } catch {
    // Not one of the console's own errors; its status has to do.
  }
  throw new Refused(error.message ?? `${response.status} ${response.statusText}`, error.code, error.parameters);
}

export const sourcePath = (name, what) => `/api/sources/${encodeURIComponent(name)}/${what}`;
