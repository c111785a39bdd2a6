// Builds elements, and updates what is on the screen to match them.
//
// Every text is set as a text node, so a message can never become markup. Events are handled by one listener in app.js,
// which looks for data-action, so elements can be kept or replaced without losing a listener.

const SVG = "http://www.w3.org/2000/svg";

/** Return an element. Attributes that are null, undefined or false are left out. Children may be texts or arrays. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    element.setAttribute(name, value === true ? "" : String(value));
  }
  const found = nodes(children);
  if (found.some((child) => child instanceof Item)) element.items = found;
  else element.append(...found);
  return element;
}

function nodes(children) {
  return children
    .flat(Infinity)
    .filter((child) => child !== null && child !== undefined && child !== false)
    .map((child) => (child instanceof Node || child instanceof Item ? child : document.createTextNode(String(child))));
}

class Item {
  constructor(key, signature, build) {
    this.key = String(key);
    this.signature = JSON.stringify(signature);
    this.build = build;
  }
}

/** Return an item of a long list. It is built only if its signature differs from that of the item on the screen. */
export function item(key, signature, build) {
  return new Item(key, signature, build);
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
  for (const child of wanted) {
    const old = oldFor(child, keyed, next);
    if (old === null) {
      parent.insertBefore(build(child), next);
      continue;
    }
    if (old === next) next = next.nextSibling;
    else parent.insertBefore(old, next);
    keyed.delete(old.dataset?.key);
    if (child instanceof Item && old.signature === child.signature) continue;
    const node = child instanceof Item ? build(child) : child;
    align(old, node);
    old.signature = node.signature;
  }
  while (next) {
    const after = next.nextSibling;
    next.remove();
    next = after;
  }
}

/** Return the element on the screen that a new child corresponds to: the one with its key, else the next one. */
function oldFor(child, keyed, next) {
  const key = child instanceof Item ? child.key : child.dataset?.key;
  if (key) {
    const old = keyed.get(key);
    return old && (child instanceof Item || old.nodeName === child.nodeName) ? old : null;
  }
  return next && !next.dataset?.key && next.nodeName === child.nodeName ? next : null;
}

function build(child) {
  const node = child instanceof Item ? child.build() : child;
  if (child instanceof Item) {
    node.dataset.key = child.key;
    node.signature = child.signature;
  }
  const lists = node.nodeType === Node.ELEMENT_NODE ? [node, ...node.querySelectorAll("ul, ol")] : [];
  for (const list of lists.filter((element) => element.items)) {
    update(list, list.items);
    delete list.items;
  }
  return node;
}

function align(old, node) {
  if (old.nodeType === Node.TEXT_NODE) {
    if (old.data !== node.data) old.data = node.data;
    return;
  }
  // The user opens and closes a section, so its state is not changed here.
  const own = (name) => name === "open" && old.localName === "details";
  for (const { name } of [...old.attributes]) if (!node.hasAttribute(name) && !own(name)) old.removeAttribute(name);
  for (const { name, value } of node.attributes) {
    if (old.getAttribute(name) !== value && !own(name)) old.setAttribute(name, value);
  }
  if (old.localName !== "textarea") update(old, node.items ?? [...node.childNodes]); // a textarea has the user's text
}
