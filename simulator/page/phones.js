// The list of phones on the left.

import { h, icon, item } from "/page/dom.js";
import { conversations, phoneOf, state, statusOf } from "/page/state.js";
import { phoneNumber, plural, statusWords, time } from "/page/words.js";

export function phonesPane(route) {
  const found = conversations();
  if (!found.length) {
    const filtered = state.search || state.filter;
    return [
      h("h2", { class: "hidden" }, "Phones"),
      h(
        "p",
        { class: "phones-empty" },
        filtered ? "No message matches." : "Phones appear here with their first message.",
        filtered && h("button", { class: "link", "data-action": "clear-search" }, "Show all"),
      ),
    ];
  }
  return [
    h("h2", { class: "pane-title" }, plural(found.length, "phone")),
    h("ul", { class: "phone-list" }, found.map((conversation) => phoneItem(conversation, route))),
  ];
}

function phoneItem({ number, entries }, route) {
  const last = entries.at(-1);
  const status = statusWords(statusOf(last));
  const phone = phoneOf(number);
  const current = route.number === number;
  const at = time(last.at);
  return item(number, [last.id, status, phone.state, current, at], () => phoneElement(number, last, { status, phone, current, at }));
}

function phoneElement(number, last, { status, phone, current, at }) {
  return h(
    "li",
    {},
    h(
      "a",
      { class: "phone", href: `#/phone/${number}`, "aria-current": current ? "true" : null },
      h(
        "span",
        { class: `avatar tint-${number % 6}` },
        phone.state === "on" ? String(number).slice(-2) : icon("phone-off"),
      ),
      h(
        "span",
        { class: "phone-text" },
        h(
          "span",
          { class: "phone-top" },
          h("span", { class: "phone-number" }, phoneNumber(number)),
          h("time", { datetime: last.at }, at),
        ),
        h(
          "span",
          { class: "phone-bottom" },
          h("span", { class: "preview" }, last.text || `Reference ${last.reference ?? "none"}`),
          h("span", { class: `status tone-${status.tone}`, title: status.word }, icon(status.icon), h("span", { class: "hidden" }, status.word)),
        ),
      ),
    ),
  );
}
