// The dialog that sends a message: through the stack's queue, or to the simulator's API if there is no stack.

import { post, send } from "/page/api.js";
import { awsSend, copyButton, curlSend } from "/page/copy.js";
import { h } from "/page/dom.js";
import { state } from "/page/state.js";

const field = (label, input, hint) =>
  h("label", { class: "field" }, h("span", { class: "field-label" }, label), input, hint && h("span", { class: "hint" }, hint));

export function composeDialog(number) {
  const stack = state.stack;
  return h(
    "form",
    { class: "form", "data-submit": "compose", "data-input": "compose" },
    h("h2", { id: "dialog-title" }, stack ? "Put a message on the queue" : "Send a message to the simulator"),
    h(
      "div",
      { class: "row" },
      field("To", h("input", { name: "recipient", required: true, inputmode: "tel", value: number ? `+${number}` : "+4512345678" })),
      field("Sender", h("input", { name: "sender", value: "Example", required: !stack })),
    ),
    field("Text", h("textarea", { name: "message", rows: 4, required: true })),
    h(
      "div",
      { class: "row" },
      field("Reference", h("input", { name: "reference", placeholder: stack ? "the SQS message id" : "none" })),
      field("Label", h("input", { name: "label", placeholder: "none" })),
    ),
    stack &&
      h(
        "div",
        { class: "row" },
        field(
          "Type",
          h(
            "select",
            { name: "message_type" },
            h("option", { value: "" }, "not given"),
            h("option", { value: "transactional" }, "transactional"),
            h("option", { value: "promotional" }, "promotional"),
          ),
        ),
        h("label", { class: "check" }, h("input", { type: "checkbox", name: "urgent" }), "Urgent queue and priority"),
      ),
    !stack && h("label", { class: "check" }, h("input", { type: "checkbox", name: "urgent" }), "Urgent priority"),
    h(
      "div",
      { class: "buttons end" },
      h("span", { id: "compose-copy" }, copyCompose({ recipient: "", message: "" }, false)),
      h("span", { class: "grow" }),
      h("button", { class: "button", type: "button", "data-action": "close-dialog" }, "Cancel"),
      h("button", { class: "button primary", type: "submit" }, stack ? "Put on the queue" : "Send"),
    ),
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
  if (!state.stack) message.recipient = Number(String(message.recipient ?? "").replace(/[^0-9]/g, ""));
  return { message, urgent };
}

function copyCompose(message, urgent) {
  const body = JSON.stringify(message);
  return state.stack ? copyButton(awsSend(body, urgent), "Copy as AWS CLI") : copyButton(curlSend(body), "Copy as curl");
}

/** Return the button that copies what the form holds. */
export function copyOf(form) {
  const { message, urgent } = messageOf(form);
  return copyCompose(message, urgent);
}

/** Send what the form holds. Return the phone number. */
export async function submitCompose(form) {
  const { message, urgent } = messageOf(form);
  if (state.stack) await post("queue", { body: message, urgent });
  else await send(message, state.token);
  return Number(String(message.recipient).replace(/[^0-9]/g, ""));
}
