// What the page remembers between visits: a few small values in localStorage. Where that is full or forbidden it forgets.

const prefix = "vantiqdev.";

export function recall(key, otherwise) {
  try {
    return JSON.parse(localStorage.getItem(prefix + key)) ?? otherwise;
  } catch {
    return otherwise;
  }
}

export function remember(key, value) {
  try {
    localStorage.setItem(prefix + key, JSON.stringify(value));
  } catch {
    // The page works without it.
  }
}
