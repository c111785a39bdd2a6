// The dialog that sends a message: through the stack's queue, or to the simulator's API if there is no stack.

import { post, send } from "/page/api.js";
import { awsSend, copyButton, curlSend } from "/page/copy.js";
import { h } from "/page/dom.js";
import { checkbox, dialogForm, field, options, row } from "/page/parts.js";
import { state } from "/page/state.js";

const TYPES = [
  ["", "not given"],
  ["transactional", "transactional"],
  ["promotional", "promotional"],
];
const digits = (text) => String(text ?? "").replace(/[^0-9]/g, "");

export function composeDialog(number) {
  const stack = state.stack;
  const children = [
    row(
      field("To", h("input", { name: "recipient", required: true, inputmode: "tel", value: number ? `+${number}` : "+4512345678" })),
      field("Sender", h("input", { name: "sender", value: "Example", required: !stack })),
    ),
    field("Text", h("textarea", { name: "message", rows: 4, required: true })),
    row(
      field("Reference", h("input", { name: "reference", placeholder: stack ? "the SQS message id" : "none" })),
      field("Label", h("input", { name: "label", placeholder: "none" })),
    ),
    stack
      ? row(field("Type", h("select", { name: "message_type" }, options(TYPES))), checkbox("urgent", "Urgent queue and priority"))
      : checkbox("urgent", "Urgent priority"),
  ];
  return dialogForm(
    { "data-submit": "compose", "data-input": "compose" },
    stack ? "Put a message on the queue" : "Send a message to the simulator",
    children,
    {
      submit: stack ? "Put on the queue" : "Send",
      before: [h("span", { id: "compose-copy" }, copyCommand({ recipient: "", message: "" }, false)), h("span", { class: "grow" })],
    },
  );
}

/** Return the message that the form holds, without the fields that are empty. */
function messageOf(form) {
  const data = new FormData(form);
  const message = {};
  for (const name of ["sender", "recipient", "message", "reference", "label", "message_type"]) {
    const value = String(data.get(name) ?? "");
    if (value !== "") message[name] = value;
  }
  const urgent = data.get("urgent") === "on";
  if (urgent) message.priority = "urgent";
  if (!state.stack) message.recipient = Number(digits(message.recipient));
  return { message, urgent };
}

function copyCommand(message, urgent) {
  const body = JSON.stringify(message);
  return state.stack ? copyButton(awsSend(body, urgent), "Copy as AWS CLI") : copyButton(curlSend(body), "Copy as curl");
}

/** Return the button that copies what the form holds. */
export function copyOf(form) {
  const { message, urgent } = messageOf(form);
  return copyCommand(message, urgent);
}

/** Send what the form holds. Return the phone number. */
export async function submitCompose(form) {
  const { message, urgent } = messageOf(form);
  if (state.stack) await post("queue", { body: message, urgent });
  else await send(message, state.token);
  return Number(digits(message.recipient));
}
