// Builds elements, and updates what is on the screen to match them.
//
// Every text is set as a text node, so a message can never become markup. Events are handled by one listener in app.js,
// which looks for data-action: so elements can be kept or replaced without losing a listener.

const SVG = "http://www.w3.org/2000/svg";

/** Return an element. Attributes that are null, undefined or false are left out; children may be texts or arrays. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...nodes(children));
  return element;
}

function nodes(children) {
  return children
    .flat(Infinity)
    .filter((child) => child !== null && child !== undefined && child !== false)
    .map((child) => (child instanceof Node ? child : document.createTextNode(String(child))));
}

/** Return one of the icons of index.html. It is hidden from screen readers: a word stands beside it. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#icon-${name}`);
  svg.append(use);
  return svg;
}

/** Make the children of an element equal to the given ones, and keep elements that are the same: focus stays. */
export function show(element, ...children) {
  update(element, nodes(children));
}

function update(parent, wanted) {
  const keyed = new Map();
  for (const child of parent.children) if (child.dataset?.key) keyed.set(child.dataset.key, child);
  let next = parent.firstChild;
  for (const node of wanted) {
    const key = node.dataset?.key;
    const old = key ? keyed.get(key) : next && !next.dataset?.key && next.nodeName === node.nodeName ? next : null;
    if (old && old.nodeName === node.nodeName) {
      if (old === next) next = next.nextSibling;
      else parent.insertBefore(old, next);
      align(old, node);
      if (key) keyed.delete(key);
    } else {
      parent.insertBefore(node, next);
    }
  }
  while (next) {
    const after = next.nextSibling;
    next.remove();
    next = after;
  }
}

function align(old, node) {
  if (old.nodeType === Node.TEXT_NODE) {
    if (old.data !== node.data) old.data = node.data;
    return;
  }
  for (const { name } of [...old.attributes]) {
    // The reader opens and closes a section; its state is the screen's own.
    if (!node.hasAttribute(name) && !(name === "open" && old.localName === "details")) old.removeAttribute(name);
  }
  for (const { name, value } of node.attributes) {
    if (old.getAttribute(name) !== value && !(name === "open" && old.localName === "details")) old.setAttribute(name, value);
  }
  if (old.localName === "textarea") return; // its text is the reader's
  update(old, [...node.childNodes]);
}
