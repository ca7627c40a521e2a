// What has come of the last request to each source: {text, how, code, parameters, rows}, rows if it was a query that was
// answered. It is kept while the reader looks at another source.

const mostSources = 20;
const mostText = 8_000_000; // characters of JSON that the rows of all of them may have had; the latest may have more

export class Answers {
  #kept = new Map(); // source → answer, oldest first

  of(source) {
    return this.#kept.get(source) ?? { text: "" };
  }

  keep(source, answer) {
    this.#kept.delete(source);
    this.#kept.set(source, answer);
    const kept = [...this.#kept.keys()];
    for (const oldest of kept.slice(0, -mostSources)) this.#kept.delete(oldest);
    let room = mostText;
    for (const [name, { rows, size = 0, ...rest }] of [...this.#kept].reverse()) {
      room -= size;
      if (rows && room < 0 && name !== source) this.#kept.set(name, { ...rest, text: `${rest.text} Its rows are no longer kept.` });
    }
  }
}
