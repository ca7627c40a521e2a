// Elements. Text only ever goes in as text.

export const $ = (selector, within = document) => within.querySelector(selector);
export const $$ = (selector, within = document) => [...within.querySelectorAll(selector)];

// element makes one: element("p", {className: "hint"}, "text", another).
export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.includes("-") || name === "role") made.setAttribute(name, value);
    else made[name] = value;
  }
  made.append(...children);
  return made;
}

// say sets a text only when it differs, so that nothing is announced or laid out again for nothing; and in the node that is
// there, so that a flood leaves no garbage.
export function say(where, text) {
  const node = where.firstChild;
  if (node?.nodeType !== Node.TEXT_NODE || node.nextSibling) {
    if (where.textContent !== text) where.textContent = text;
  } else if (node.data !== text) {
    node.data = text;
  }
}

// list says several texts, with a dot between them where two are in one line.
export function list(where, texts) {
  if (where.childElementCount > texts.length) where.replaceChildren();
  for (const [i, text] of texts.entries()) {
    if (!where.children[i]) where.append(element("span", { className: "listed" }), " ");
    say(where.children[i], text);
  }
}
