// What the deployed stack has: the records of one message, and the dead-letter queue.

import { awsQuery, awsSend, copyButton } from "/page/copy.js";
import { h, icon } from "/page/dom.js";
import { code, collapsed, collapsedTitle, factList, paneHead, pill, placeholder, section, step } from "/page/parts.js";
import { state } from "/page/state.js";
import { after, exactTime, plural, pretty, statusWords } from "/page/words.js";

// Shown in the list of changes, or of no use to a user.
const LEFT_OUT = new Set(["pk", "sk", "record_type", "status", "error", "expires_at", "fingerprint"]);

export function stackColumn(reference, details) {
  const stack = details?.stack;
  return h(
    "div",
    { class: "detail-column", "data-key": `stack-${reference}` },
    stack?.dead_letter && deadLetter(stack.dead_letter),
    section(
      "Record in the table",
      stack?.record ? record(stack) : h("p", { class: "quiet" }, stack ? "The table has no message under this key." : "Loading…"),
      h("div", { class: "buttons" }, copyButton(awsQuery(reference), "Copy as AWS CLI")),
    ),
    stack?.changes.length > 0 && section("Changes in the stream", changes(stack.changes)),
    stack?.events.length > 0 && section("Stored events", events(stack.events)),
  );
}

function record({ record: found, explanation }) {
  return h(
    "div",
    {},
    h("p", { class: "record-status" }, pill(found.status), explanation && h("span", {}, explanation.status)),
    found.error && h("p", { class: "error-text" }, explanation?.error ?? JSON.stringify(found.error)),
    explanation && h("p", { class: "next" }, `Next: ${explanation.next_step}`),
    factList(
      Object.entries(found)
        .filter(([name]) => !LEFT_OUT.has(name))
        .sort(([a], [b]) => a.localeCompare(b))
        .map(([name, value]) => [name, shown(value)]),
    ),
  );
}

function withReason(word, error) {
  const reason = error?.details ?? error?.code;
  if (!reason) return word;
  return String(reason).toLowerCase().startsWith(word.toLowerCase()) ? reason : `${word}: ${reason}`;
}

function shown(value) {
  if (typeof value === "object") return JSON.stringify(value);
  if (/^\d{4}-\d\d-\d\dT/.test(value)) return h("time", { datetime: value, title: value }, exactTime(value));
  return String(value);
}

function changes(found) {
  const start = found[0].updated_at;
  return h(
    "ol",
    { class: "timeline" },
    found.map((change) => {
      const { word, tone } = statusWords(change.status);
      const words = change.event ? `Event stored: ${change.status}` : withReason(word, change.error);
      return step(words, change.event ? "webhook" : tone, change.updated_at, after(change.updated_at, start));
    }),
  );
}

function events(found) {
  return found.map((event) =>
    collapsed(
      `event-${event.event_id}`,
      [collapsedTitle(event.status ?? event.event_type), h("span", { class: "quiet" }, exactTime(event.received_at))],
      code(JSON.stringify(event, null, 2), "Stored event"),
    ),
  );
}

function deadLetter(letter, title = "Dead letter") {
  return h(
    "section",
    { class: "card letter", "data-key": `letter-${letter.message_id}` },
    h("h3", {}, title),
    h("p", { class: "record-status" }, h("span", { class: "pill tone-bad" }, icon("letters"), letter.code ?? "No ErrorCode"), h("span", {}, letter.meaning)),
    letter.message && h("p", { class: "error-text" }, letter.message),
    letter.advice && h("p", { class: "next" }, letter.advice),
    collapsed(
      `body-${letter.message_id}`,
      [collapsedTitle("Queue message"), h("span", { class: "quiet" }, exactTime(letter.sent_at))],
      code(pretty(letter.body), "Queue message"),
    ),
    h(
      "div",
      { class: "buttons" },
      h(
        "button",
        { class: "button primary", "data-action": "redrive", "data-reference": letter.reference },
        icon("again"),
        "Redrive",
        h("span", { class: "hidden" }, ` ${letter.reference}`),
      ),
      copyButton(`make redrive REFERENCE=${letter.reference}`, "Copy as make"),
      copyButton(awsSend(letter.body, false), "Copy as AWS CLI"),
    ),
  );
}

export function deadLettersPane() {
  const letters = state.deadLetters;
  return [
    paneHead("#/", "Back to the phones", letters ? plural(letters.length, "dead letter") : "Dead letters"),
    letters === null && h("p", { class: "quiet pad" }, "Loading…"),
    letters?.length === 0 &&
      placeholder("check", "The dead-letter queue is empty", h("p", {}, "Messages that cannot be sent are listed here with their reason.")),
    letters?.length > 0 &&
      h(
        "ul",
        { class: "letters" },
        letters.map((letter) => h("li", { "data-key": letter.message_id }, deadLetter(letter, letter.reference))),
      ),
  ];
}
