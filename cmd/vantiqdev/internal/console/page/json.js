// JSON as people write it: where exactly it is wrong, and laid out to be read, with every number as it was written.

const deepest = 200;
const lineWidth = 64;
const literals = ["true", "false", "null"];

// A Mistake is what is wrong with a text, and where: line and column count from 1.
export class Mistake extends Error {
  constructor(text, at, message) {
    const before = text.slice(0, at);
    super(message);
    this.at = at;
    this.line = before.split("\n").length;
    this.column = [...before.slice(before.lastIndexOf("\n") + 1)].length + 1;
  }
}

// check returns the Mistake in a text that should be a JSON object, or null.
export function check(text) {
  try {
    const value = read(text);
    if (value.open !== "{") throw new Mistake(text, text.search(/\S/), "it must be an object, in { and }");
    return twice(text, value);
  } catch (mistake) {
    if (mistake instanceof Mistake) return mistake;
    throw mistake;
  }
}

// pretty lays a JSON text out over several lines. What is not JSON, because it is cut for example, stays as it is.
export function pretty(text) {
  try {
    return lay(read(text));
  } catch {
    return text;
  }
}

// parse is JSON.parse, except that numbers which JavaScript cannot hold come out of JSON.stringify as they went in.
export function parse(text) {
  return JSON.parse(text, (_, value, context) => {
    if (typeof value !== "number" || !context || !JSON.rawJSON || String(value) === context.source) return value;
    return JSON.rawJSON(context.source);
  });
}

// lay lays out what read has returned.
export function lay(value, indent = "") {
  if (typeof value === "string") return value;
  if (value.width <= lineWidth || value.items.length === 0) return flat(value);
  const inner = indent + "  ";
  const items = value.items.map(({ key, value }) => inner + (key === undefined ? "" : key + ": ") + lay(value, inner));
  return value.open + "\n" + items.join(",\n") + "\n" + indent + value.close;
}

function flat(value) {
  if (typeof value === "string") return value;
  const items = value.items.map(({ key, value }) => (key === undefined ? "" : key + ": ") + flat(value));
  return value.open + items.join(", ") + value.close;
}

// oddSpace says what is wrong with a character that looks like a space, or like nothing, and is none to JSON.
function oddSpace(character = "") {
  if (!/[\s\u200b\u2060]/.test(character) || /[ \t\n\r]/.test(character)) return undefined;
  const names = { "\u00a0": "a no-break space", "\u202f": "a narrow no-break space", "\ufeff": "a byte order mark, an invisible space" };
  const code = character.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0");
  return `${names[character] ?? "a special space"} (U+${code}) stands here; JSON knows only plain ones`;
}

// twice returns the Mistake that two members of an object have the same name, or null.
function twice(text, value) {
  const names = new Set();
  for (const { key, at, value: item } of value.items ?? []) {
    if (key !== undefined) {
      const name = JSON.parse(key);
      if (names.has(name)) return new Mistake(text, at, `${key} is there twice`);
      names.add(name);
    }
    const inside = twice(text, item);
    if (inside) return inside;
  }
  return null;
}

// read returns the value in a text: a string for a scalar, as it is written; {open, close, items, width} for the rest. An item
// is {value}, and in an object {key, value, at}: its name as it is written, and where.
export function read(text) {
  const scalar = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\\/bfnrt]|u[0-9a-fA-F]{4}))*"|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;
  const blank = /[ \t\n\r]*/y;
  let at = 0;

  const skip = () => {
    blank.lastIndex = at;
    blank.test(text);
    at = blank.lastIndex;
  };
  const wrong = (message, where = at) => new Mistake(text, where, oddSpace(text[where]) ?? message);

  const readScalar = () => {
    scalar.lastIndex = at;
    const found = scalar.exec(text)?.[0];
    const after = found === undefined ? "" : text.slice(at + found.length, at + found.length + 1);
    if (found === undefined || (found[0] !== '"' && /[\w.+-]/.test(after))) throw wrongScalar();
    at += found.length;
    return found;
  };
  const wrongScalar = () => {
    const rest = text.slice(at);
    const word = /^[^\s,:{}[\]"]*/.exec(rest)[0];
    if (rest === "") return wrong("it ends too early");
    if (rest[0] === '"') return wrongString();
    if (rest[0] === "'") return wrong('texts are written in "double quotes"');
    if (/^[-+.\d]/.test(word)) return wrong(`${word} is not a number as JSON writes them`);
    if (/^[}\]]/.test(rest)) return wrong(`a value is missing before ${rest[0]}`);
    if (/^[,:]/.test(rest)) return wrong(`a value is missing before the ${rest[0] === "," ? "comma" : "colon"}`);
    if (rest.startsWith("//") || rest.startsWith("/*")) return wrong("JSON has no comments");
    const meant = literals.find((literal) => literal.startsWith(word.toLowerCase()) || word.toLowerCase().startsWith(literal));
    if (meant && word) return wrong(`${word} is not a value; ${meant} is`);
    return wrong(`${word || rest[0]} is not a value; texts are written in "double quotes"`);
  };
  const wrongString = () => {
    for (let i = at + 1; i < text.length; i++) {
      if (text[i] === "\n" || text[i] === "\r") return wrong("the text that begins here has no closing quote in its line");
      if (text[i] < " ") return wrong("a control character must be written as \\u and four digits", i);
      if (text[i] !== "\\") continue;
      if (text[i + 1] === "u" && !/^[0-9a-fA-F]{4}/.test(text.slice(i + 2, i + 6))) return wrong("\\u needs four hexadecimal digits", i);
      if (!/^\\["\\/bfnrtu]/.test(text.slice(i, i + 2))) return wrong(`\\${text[i + 1] ?? ""} means nothing here; a backslash is written \\\\`, i);
      i++;
    }
    return wrong("the text that begins here has no closing quote");
  };

  const readValue = (depth) => {
    skip();
    const open = text[at];
    if (open !== "{" && open !== "[") return readScalar();
    if (depth === deepest) throw wrong(`it is nested more than ${deepest} deep`);
    const begin = at++;
    const value = { open, close: open === "{" ? "}" : "]", items: [], width: 2 };
    for (;;) {
      skip();
      if (at >= text.length) throw wrong(`the ${open} that begins here is never closed`, begin);
      if (text[at] === value.close && value.items.length === 0) break;
      value.items.push(readItem(open, depth));
      const { key, value: item } = value.items.at(-1);
      value.width += (key?.length ?? -2) + (item.width ?? item.length) + 4;
      skip();
      if (text[at] === value.close) break;
      if (at >= text.length) throw wrong(`the ${open} that begins here is never closed`, begin);
      if (text[at] !== ",") throw wrong(`a comma or ${value.close} is missing here`);
      const comma = at++;
      skip();
      if (text[at] === value.close) throw wrong(`the comma before ${value.close} is one too many`, comma);
    }
    at++;
    return value;
  };
  const readItem = (open, depth) => {
    if (open === "[") return { value: readValue(depth + 1) };
    if (text[at] !== '"') throw wrong('the name of a member is written in "double quotes"');
    const begin = at;
    const key = readScalar();
    skip();
    if (text[at] !== ":") throw wrong(`a colon is missing after ${key}`);
    at++;
    return { key, value: readValue(depth + 1), at: begin };
  };

  const value = readValue(0);
  skip();
  if (at < text.length) throw wrong("there is something behind the end");
  return value;
}
