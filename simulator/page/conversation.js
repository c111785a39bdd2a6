// The conversation with one phone: its texts as bubbles, its state, and a field to reply as the person.

import { commandBlock, firstCommands } from "/page/copy.js";
import { h, icon, item } from "/page/dom.js";
import { options, paneHead, placeholder, tag } from "/page/parts.js";
import { allEntries, conversations, phoneOf, state, statusOf } from "/page/state.js";
import { outcomeWords, phoneNumber, plural, statusWords, time } from "/page/words.js";

const PHONE_STATES = [
  ["on", "Switched on"],
  ["off", "Switched off"],
  ["unknown", "Unknown"],
  ["undeliverable", "Undeliverable"],
];

export function conversationPane(route) {
  if (!route.number) return state.entries.size || state.records.size ? nothingChosen() : empty();
  const shown = conversations().find((conversation) => conversation.number === route.number);
  const entries = shown?.entries ?? allEntries().filter((entry) => entry.number === route.number);
  return [
    head(route.number),
    h(
      "ol",
      { class: "bubbles", id: "bubbles", "aria-label": `Messages of ${phoneNumber(route.number)}` },
      entries.map((entry) => bubble(entry, route)),
    ),
    reply(route.number),
  ];
}

function head(number) {
  const phone = phoneOf(number);
  const optOut = state.optOuts.get(String(number));
  return paneHead(
    "#/",
    "Back to the phones",
    phoneNumber(number),
    optOut === "OUT" && h("span", { class: "pill tone-warn" }, icon("pause"), "Opted out"),
    h(
      "label",
      { class: "phone-state" },
      h("span", { class: "hidden" }, "State of this phone"),
      h(
        "select",
        { "data-change": "phone-state", "data-number": number, "data-value": phone.state },
        options(PHONE_STATES),
      ),
    ),
    phone.state === "undeliverable" &&
      h("button", { class: "button small", "data-action": "phone-code", "data-number": number }, phone.hex_code),
  );
}

function bubble(entry, route) {
  const status = statusWords(statusOf(entry));
  const current = route.id === entry.id;
  const at = time(entry.at);
  const signature = [status, current, at, entry.attempts, entry.delivered, entry.last_answer];
  return item(entry.id, signature, () => bubbleElement(entry, { status, current, at }));
}

function bubbleElement(entry, { status, current, at }) {
  const side = entry.kind === "received" ? "right" : "left";
  const notSent = entry.kind === "refused" || entry.kind === "record";
  return h(
    "li",
    { class: `line ${side}` },
    h(
      "a",
      {
        class: `bubble ${notSent ? "not-sent" : ""}`,
        href: `#/message/${encodeURIComponent(entry.id)}`,
        "aria-current": current ? "true" : null,
      },
      h("span", { class: "bubble-from" }, from(entry)),
      entry.text && h("span", { class: "bubble-text" }, entry.text),
      h(
        "span",
        { class: "bubble-meta" },
        h("time", { datetime: entry.at, title: entry.at }, at),
        entry.segments > 0 && h("span", {}, `${entry.encoding} · ${plural(entry.segments, "segment")}`),
        entry.faults.map((fault) => tag("warn", icon("fault"), fault)),
      ),
    ),
    bubbleStatus(entry, status),
  );
}

function bubbleStatus(entry, status) {
  const failed = undelivered(entry);
  const webhook = failed && h("span", { class: "tone-bad" }, `Webhook: ${outcomeWords(entry.last_answer)}`);
  if (entry.kind === "received") {
    const words = entry.delivered ? "Webhook delivered" : "No webhook yet";
    return h("span", { class: "bubble-status tone-quiet" }, icon("webhook"), failed ? webhook : words);
  }
  return h(
    "span",
    { class: `bubble-status tone-${status.tone}` },
    icon(status.icon),
    entry.kind === "refused" ? `${status.word}: ${outcomeWords(entry.outcome)}` : status.word,
    failed && [" · ", webhook],
  );
}

function from(entry) {
  if (entry.kind === "received") return "The person";
  if (entry.kind === "record") return entry.sender ? `From ${entry.sender}` : "From the queue";
  return entry.sender ? `From ${entry.sender}` : `Request ${entry.request}`;
}

function undelivered(entry) {
  const answer = entry.last_answer;
  return entry.attempts > 0 && (typeof answer !== "number" || answer < 200 || answer > 299);
}

function reply(number) {
  return h(
    "form",
    { class: "reply", "data-submit": "reply", "data-number": number, "data-key": `reply-${number}` },
    h(
      "label",
      { class: "reply-field" },
      h("span", { class: "hidden" }, "Reply as the person"),
      h("input", { name: "text", placeholder: "Reply as the person", autocomplete: "off", required: true }),
    ),
    h("button", { class: "button primary", type: "submit" }, icon("send"), "Reply"),
    h("button", { class: "button", type: "button", "data-action": "stop", "data-number": number }, "STOP"),
  );
}

function nothingChosen() {
  const words = "Its messages are shown here. Choose a message to see what happened to it.";
  return placeholder("bubble", "Choose a phone", h("p", {}, words));
}

function empty() {
  return placeholder(
    "phone",
    "No messages yet",
    h("p", {}, state.stack ? "Put the first one on the queue, in another terminal:" : "Send the first one, from another terminal:"),
    commandBlock(firstCommands()),
    h("p", {}, "Or ", h("button", { class: "link", "data-action": "compose" }, "write it here"), "."),
  );
}
