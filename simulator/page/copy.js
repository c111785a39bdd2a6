// Commands that do in a terminal what the page shows.

import { h, icon } from "/page/dom.js";
import { state } from "/page/state.js";

/** Quote an argument for a POSIX shell. */
export function quote(text) {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

const lines = (...parts) => parts.join(" \\\n  ");

/** Return the command that sends a body to the provider's API. */
export function curlSend(body, path = "/mobile/single") {
  return lines(
    `curl ${quote(state.url + path)}`,
    `-H ${quote(`Authorization: Token ${state.token}`)}`,
    `-H 'Content-Type: application/json'`,
    `-d ${quote(body)}`,
  );
}

/** Return the command that delivers a signed webhook. */
export function curlWebhook(body, signature) {
  return lines(
    `curl ${quote(state.webhookUrl ?? "")}`,
    `-H ${quote(`Signature: ${signature}`)}`,
    `-H 'Content-Type: application/json'`,
    `--data-binary ${quote(body)}`,
  );
}

/** Return the command that sends a request to the control API. */
export function curlControl(route, body, method = "POST") {
  return lines(
    `curl -X ${method} ${quote(`${state.url}/_control/${route}`)}`,
    `-H 'Content-Type: application/json'`,
    ...(body === undefined ? [] : [`-d ${quote(JSON.stringify(body))}`]),
  );
}

const endpoint = () => (state.stack?.endpoint ? [`--endpoint-url ${quote(state.stack.endpoint)}`] : []);

/** Return the AWS CLI command that puts a message on the queue. */
export function awsSend(body, urgent) {
  return lines(
    "aws sqs send-message",
    ...endpoint(),
    `--queue-url ${quote(urgent ? state.stack.urgent_queue_url : state.stack.queue_url)}`,
    `--message-body ${quote(body)}`,
  );
}

/** Return the AWS CLI command that reads a message's records. */
export function awsQuery(reference) {
  return lines(
    "aws dynamodb query",
    ...endpoint(),
    `--table-name ${quote(state.stack.table)}`,
    `--key-condition-expression 'pk = :pk'`,
    `--expression-attribute-values ${quote(JSON.stringify({ ":pk": { S: reference } }))}`,
  );
}

/** Return the command for a first message. */
export function firstCommands() {
  const message = { sender: "Example", recipient: 4512345678, message: "Your parcel is at the shop.", reference: "order-1" };
  return state.stack ? awsSend(JSON.stringify(message), false) : curlSend(JSON.stringify(message));
}

/** Return a command with a button that copies it. */
export function commandBlock(command) {
  return h(
    "div",
    { class: "command" },
    h("pre", { tabindex: "0", role: "group", "aria-label": "Command" }, h("code", {}, command)),
    copyButton(command, "Copy"),
  );
}

/** Return a button that copies a text. */
export function copyButton(text, label) {
  return h("button", { class: "button small", type: "button", "data-action": "copy", "data-text": text }, icon("copy"), label);
}
