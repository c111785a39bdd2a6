// What the deployed stack has: the records of one message, and the dead-letter queue.

import { awsQuery, awsSend, copyButton } from "/page/copy.js";
import { factList, pill, section } from "/page/details.js";
import { h, icon } from "/page/dom.js";
import { state } from "/page/state.js";
import { after, exactTime, plural, pretty, statusWords } from "/page/words.js";

// Shown in the list of changes, or of no use to a reader.
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
      const what = change.event ? `Event stored: ${change.status}` : withReason(word, change.error);
      return h(
        "li",
        { class: `step tone-${change.event ? "webhook" : tone}` },
        h("span", { class: "step-words" }, what),
        h("time", { datetime: change.updated_at, title: change.updated_at }, after(change.updated_at, start)),
      );
    }),
  );
}

function events(found) {
  return found.map((event) =>
    h(
      "details",
      { class: "raw", "data-key": `event-${event.event_id}` },
      h(
        "summary",
        {},
        h("span", { class: "raw-title" }, event.status ?? event.event_type),
        h("span", { class: "quiet" }, exactTime(event.received_at)),
      ),
      h("pre", { class: "code", tabindex: "0", role: "group", "aria-label": "Stored event" }, h("code", {}, pretty(JSON.stringify(event)))),
    ),
  );
}

export function deadLetter(letter, title = "Dead letter") {
  return h(
    "section",
    { class: "card letter", "data-key": `letter-${letter.message_id}` },
    h("h3", {}, title),
    h("p", { class: "record-status" }, h("span", { class: "pill tone-bad" }, icon("letters"), letter.code ?? "No ErrorCode"), h("span", {}, letter.meaning)),
    letter.message && h("p", { class: "error-text" }, letter.message),
    letter.advice && h("p", { class: "next" }, letter.advice),
    h(
      "details",
      { class: "raw", "data-key": `body-${letter.message_id}` },
      h("summary", {}, h("span", { class: "raw-title" }, "Queue message"), h("span", { class: "quiet" }, exactTime(letter.sent_at))),
      h("pre", { class: "code", tabindex: "0", role: "group", "aria-label": "Queue message" }, h("code", {}, pretty(letter.body))),
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
    h(
      "header",
      { class: "pane-head" },
      h("a", { class: "icon-button back", href: "#/", "aria-label": "Back to the phones" }, icon("back")),
      h("h2", {}, letters ? plural(letters.length, "dead letter") : "Dead letters"),
    ),
    letters === null && h("p", { class: "quiet pad" }, "Loading…"),
    letters?.length === 0 &&
      h("div", { class: "placeholder" }, icon("check"), h("h2", {}, "The dead-letter queue is empty"), h("p", {}, "Messages that cannot be sent are listed here with their reason.")),
    letters?.length > 0 &&
      h(
        "ul",
        { class: "letters" },
        letters.map((letter) =>
          h(
            "li",
            { "data-key": letter.message_id },
            deadLetter(letter, letter.reference),
          ),
        ),
      ),
  ];
}
