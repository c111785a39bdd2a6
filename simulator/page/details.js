// What happened to one message: its timeline, its requests and its webhooks; beside it what the stack has of it.

import { copyButton, curlControl, curlSend, curlWebhook } from "/page/copy.js";
import { h, icon } from "/page/dom.js";
import { code, collapsed, collapsedTitle, factList, paneHead, pill, section, step, tag } from "/page/parts.js";
import { stackColumn } from "/page/stack.js";
import { stackKey, state, statusOf } from "/page/state.js";
import { after, exactTime, outcomeTone, outcomeWords, phoneNumber, plural, pretty, statusWords } from "/page/words.js";

export function messagePane(entry) {
  const details = state.details?.id === entry.id ? state.details : null;
  const key = stackKey(entry);
  return [
    paneHead(
      `#/phone/${entry.number}`,
      "Back to the conversation",
      entry.kind === "received" ? "From the person" : (entry.reference ?? "No reference"),
      entry.kind !== "received" && pill(statusOf(entry)),
      h("span", { class: "grow" }),
      h("button", { class: "icon-button", "data-action": "copy-link", "aria-label": "Copy a link to this message" }, icon("link")),
      h("a", { class: "icon-button close", href: `#/phone/${entry.number}`, "aria-label": "Close" }, icon("close")),
    ),
    h(
      "div",
      { class: "detail-columns" },
      h("div", { class: "detail-column" }, facts(entry), timeline(entry, details), requests(details), webhooks(entry, details)),
      state.stack && key && stackColumn(key, details),
    ),
  ];
}

function facts(entry) {
  const received = entry.kind === "received";
  return h(
    "section",
    { class: "card", "data-key": `facts-${entry.id}` },
    h("h3", { class: "hidden" }, "Message"),
    entry.text && h("p", { class: "full-text" }, entry.text),
    factList([
      [received ? "From" : "To", phoneNumber(entry.number)],
      ["Sender", entry.sender],
      ["Segments", entry.segments ? `${plural(entry.segments, "segment")}, ${entry.encoding}, ${plural(entry.text.length, "character")}` : null],
      ["Priority", entry.priority === "urgent" ? "urgent" : null],
      ["Label", entry.label],
      ["msg_id", entry.kind === "sent" || received ? h("code", {}, entry.id) : null],
    ]),
  );
}

function timeline(entry, details) {
  const { queued_at: queuedAt } = details?.stack?.record ?? {};
  const requests = details?.requests ?? [];
  const starts = [queuedAt, requests[0]?.at, entry.at].filter(Boolean);
  const start = Math.min(...starts.map((at) => Date.parse(at)));
  const steps = [];
  const add = (at, words, tone) => steps.push({ at, words, tone });
  if (queuedAt) add(queuedAt, "Queued", "quiet");
  for (const change of details?.stack?.changes ?? []) {
    if (change.status === "SENDING") add(change.updated_at, `Claimed, attempt ${change.attempts}`, "quiet");
  }
  for (const request of requests) {
    if (!request.accepted) add(request.at, `Request ${request.number}: ${outcomeWords(request.outcome)}`, "warn");
  }
  if (entry.kind === "sent") add(entry.at, "Accepted", "quiet");
  if (entry.kind === "received") add(entry.at, "Sent by the person", "quiet");
  for (const { status, at, error } of entry.steps) {
    const { word, tone } = statusWords(status);
    const pending = Date.parse(at) > Date.now();
    add(at, error ? `${word}: ${error.details} (${error.hex_code})` : word, pending ? "pending" : tone);
  }
  for (const webhook of details?.webhooks ?? []) {
    for (const attempt of webhook.attempts) {
      const answer = attempt.answer ?? attempt.error;
      const again = attempt.attempt > 1 ? `, attempt ${attempt.attempt}` : "";
      const words = `Webhook ${webhook.status ?? webhook.event_type}${again}: ${outcomeWords(answer)}`;
      add(attempt.at, words, outcomeTone(answer) === "good" ? "webhook" : "bad");
    }
  }
  steps.sort((a, b) => Date.parse(a.at) - Date.parse(b.at));
  if (!steps.length) return null;
  const elements = steps.map(({ at, words, tone }) => step(words, tone, at, after(at, start)));
  return section("Timeline", h("ol", { class: "timeline" }, elements));
}

function requests(details) {
  if (!details?.requests.length) return null;
  return section(details.requests.length === 1 ? "Request" : "Requests", details.requests.map((request) => requestDetails(request)));
}

/** Return a request with its body and its answer. */
export function requestDetails(request) {
  return collapsed(
    `request-${request.number}`,
    [collapsedTitle(`${request.number} · ${request.path}`), outcomeTags(request)],
    h("p", { class: "raw-heading" }, `Received at ${exactTime(request.at)}, connection ${request.connection}`),
    code(pretty(request.body), "Body of the request"),
    h("p", { class: "raw-heading" }, "Answer"),
    request.answer ? code(pretty(request.answer), "Body of the answer") : h("p", { class: "quiet" }, "There was no answer."),
    h("div", { class: "buttons" }, copyButton(curlSend(request.body, request.path), "Copy as curl")),
  );
}

/** Return the outcome of a request and its faults. A fault that is the outcome is not named twice. */
export function outcomeTags(request) {
  const outcome = String(request.outcome);
  const others = request.faults.filter((fault) => fault !== outcome);
  return [
    others.map((fault) => tag("warn", icon("fault"), fault)),
    tag(outcomeTone(request.outcome), request.faults.includes(outcome) && icon("fault"), outcomeWords(request.outcome)),
  ];
}

function webhooks(entry, details) {
  if (!state.webhookUrl) {
    return section("Webhooks", h("p", { class: "quiet" }, "No webhook URL is set, so none are sent."), commandForUrl());
  }
  if (!details?.webhooks.length) return section("Webhooks", h("p", { class: "quiet" }, "None was sent yet."));
  return section("Webhooks", details.webhooks.map((webhook) => webhookDetails(webhook, entry)));
}

function commandForUrl() {
  const command = curlControl("webhook", { url: "http://127.0.0.1:8000/webhooks", key: "your key" });
  return h("div", { class: "buttons" }, copyButton(command, "Copy the command that sets it"));
}

const REPEATS = [
  ["none", "Send again"],
  ["tampered", "Send tampered with"],
  ["aged", "Send 8 days old"],
  ["wrong-key", "Sign with another key"],
];

function webhookDetails(webhook, entry) {
  const last = webhook.attempts.at(-1);
  const answer = last.answer ?? last.error;
  const foreign = webhook.msg_id && webhook.msg_id !== entry.id;
  return collapsed(
    `webhook-${webhook.event_id}`,
    [
      collapsedTitle(webhook.status ?? webhook.event_type),
      foreign && tag("warn", "another msg_id"),
      webhook.attempts.length > 1 && h("span", { class: "tag" }, plural(webhook.attempts.length, "attempt")),
      tag(outcomeTone(answer), outcomeWords(answer)),
    ],
    code(pretty(webhook.body), "Body of the webhook"),
    h("ol", { class: "attempts" }, webhook.attempts.map((attempt) => attemptDetails(attempt))),
    h(
      "div",
      { class: "buttons", role: "group", "aria-label": "Send this webhook again" },
      REPEATS.map(([change, words]) =>
        h("button", { class: "button small", "data-action": "repeat", "data-event": webhook.event_id, "data-repeat": change }, icon("again"), words),
      ),
      copyButton(curlWebhook(webhook.body, last.signature), "Copy as curl"),
    ),
  );
}

function attemptDetails(attempt) {
  const answer = attempt.answer ?? attempt.error;
  const when = ` at ${exactTime(attempt.at)}, after ${Math.round(attempt.seconds * 1000)} ms`;
  return h(
    "li",
    {},
    h("p", {}, tag(outcomeTone(answer), outcomeWords(answer)), when),
    attempt.answer_body && h("p", { class: "answer" }, h("code", {}, attempt.answer_body)),
    h("p", { class: "answer quiet" }, "Signature ", h("code", {}, attempt.signature)),
  );
}
