// The parts that several panes and dialogs are made of.

import { h, icon } from "/page/dom.js";
import { statusWords } from "/page/words.js";

/** Return the head of a pane, with a link that leads back. */
export function paneHead(href, label, title, ...children) {
  return h(
    "header",
    { class: "pane-head" },
    h("a", { class: "icon-button back", href, "aria-label": label }, icon("back")),
    h("h2", {}, title),
    ...children,
  );
}

/** Return what a pane shows if it has nothing to list. */
export function placeholder(name, title, ...children) {
  return h("div", { class: "placeholder" }, icon(name), h("h2", {}, title), ...children);
}

export function section(title, ...children) {
  return h("section", { class: "card" }, h("h3", {}, title), ...children);
}

/** Return a section that the user can open. */
export function collapsed(key, summary, ...children) {
  return h("details", { class: "raw", "data-key": key }, h("summary", {}, ...summary), ...children);
}

export function collapsedTitle(text) {
  return h("span", { class: "raw-title" }, text);
}

export function code(text, label) {
  return h("pre", { class: "code", tabindex: "0", role: "group", "aria-label": label }, h("code", {}, text));
}

export function step(words, tone, at, shownTime) {
  return h(
    "li",
    { class: `step tone-${tone}` },
    h("span", { class: "step-words" }, words),
    h("time", { datetime: at, title: at }, shownTime),
  );
}

export function pill(status) {
  const { word, icon: name, tone } = statusWords(status);
  return h("span", { class: `pill tone-${tone}` }, icon(name), word);
}

export function tag(tone, ...children) {
  return h("span", { class: `tag tone-${tone}` }, ...children);
}

/** Return names with their values, without those that have none. */
export function factList(pairs) {
  return h(
    "dl",
    { class: "facts" },
    pairs
      .filter(([, value]) => value !== null && value !== undefined && value !== "")
      .map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))),
  );
}

export function field(label, input) {
  return h("label", { class: "field" }, h("span", { class: "field-label" }, label), input);
}

export function checkbox(name, label) {
  return h("label", { class: "check" }, h("input", { type: "checkbox", name }), label);
}

export function options(pairs) {
  return pairs.map(([value, words]) => h("option", { value }, words));
}

export function row(...children) {
  return h("div", { class: "row" }, ...children);
}

/** Return a form for the dialog, with a button that closes it and one that submits. */
export function dialogForm(attributes, title, children, { cancel = "Cancel", submit, before = null }) {
  return h(
    "form",
    { class: "form", ...attributes },
    h("h2", { id: "dialog-title" }, title),
    ...children,
    h(
      "div",
      { class: "buttons end" },
      before,
      h("button", { class: "button", type: "button", "data-action": "close-dialog" }, cancel),
      h("button", { class: "button primary", type: "submit" }, submit),
    ),
  );
}
