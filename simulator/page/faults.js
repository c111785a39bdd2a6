// The dialog that orders faults, and lists those that are ordered.

import { get, post, remove } from "/page/api.js";
import { copyButton, curlControl } from "/page/copy.js";
import { h, icon } from "/page/dom.js";
import { state } from "/page/state.js";

const LABELS = {
  seconds: ["Seconds", "number"],
  status: ["Status", "number"],
  retry_after: ["Retry-After", "text"],
  as_date: ["Retry-After as a date", "checkbox"],
  indexes: ["Positions, from 0", "text"],
  references: ["References", "text"],
  body: ["Body of the answer", "text"],
  copies: ["Copies", "number"],
  only: ["Only this status", "text"],
  foreign_status: ["Status", "text"],
  foreign_recipient: ["Other recipient", "number"],
  foreign_age_s: ["Seconds before this message", "number"],
  reference: ["Reference", "text"],
  reference_contains: ["Reference contains", "text"],
  recipient: ["Recipient", "number"],
  text_contains: ["Text contains", "text"],
  min_messages: ["At least this many messages", "number"],
};
const CONDITIONS = ["reference", "reference_contains", "text_contains", "recipient", "min_messages"];

export async function loadKinds() {
  state.kinds ??= (await get("fault-kinds")).kinds;
}

export function faultsDialog(chosen = "429") {
  const kind = state.kinds.find(({ name }) => name === chosen);
  return h(
    "form",
    { class: "form", "data-submit": "fault" },
    h("h2", { id: "dialog-title" }, "Faults"),
    orderedFaults(),
    h(
      "div",
      { class: "row" },
      h(
        "label",
        { class: "field" },
        h("span", { class: "field-label" }, "Fault"),
        h(
          "select",
          { name: "kind", "data-change": "fault-kind", "data-value": chosen },
          h("optgroup", { label: "Answers" }, kindOptions(false)),
          h("optgroup", { label: "Webhooks" }, kindOptions(true)),
        ),
      ),
      h(
        "label",
        { class: "field" },
        h("span", { class: "field-label" }, kind.name.startsWith("webhook-") ? "For the next messages" : "For the next requests"),
        h("input", { name: "count", type: "number", min: "1", value: "1", placeholder: "until cleared" }),
      ),
    ),
    h("p", { class: "hint", "data-key": `text-${chosen}` }, kind.text),
    (kind.fields.length > 0 || kind.either) &&
      h(
        "div",
        { class: "row", "data-key": `fields-${chosen}` },
        kind.either && whenField(kind),
        kind.fields.map(({ name, default: value }) => input(name, value)),
      ),
    h(
      "details",
      { class: "raw", "data-key": "conditions" },
      h("summary", {}, h("span", { class: "raw-title" }, "Only for certain messages")),
      h("div", { class: "row" }, CONDITIONS.map((name) => input(name, null)), probability()),
    ),
    h(
      "div",
      { class: "buttons end" },
      h("button", { class: "button", type: "button", "data-action": "close-dialog" }, "Close"),
      h("button", { class: "button primary", type: "submit" }, icon("fault"), "Order the fault"),
    ),
  );
}

function kindOptions(webhooks) {
  return state.kinds
    .filter(({ name }) => name.startsWith("webhook-") === webhooks)
    .map(({ name }) => h("option", { value: name }, name));
}

function whenField(kind) {
  return h(
    "label",
    { class: "field" },
    h("span", { class: "field-label" }, "When"),
    h(
      "select",
      { name: "when", "data-value": kind.when },
      h("option", { value: "before" }, "before the messages are accepted"),
      h("option", { value: "after" }, "after the messages are accepted"),
    ),
  );
}

function probability() {
  return h(
    "label",
    { class: "field" },
    h("span", { class: "field-label" }, "Probability"),
    h("input", { name: "probability", type: "number", min: "0", max: "1", step: "any", placeholder: "1" }),
  );
}

function input(name, value) {
  const [label, type] = LABELS[name];
  if (type === "checkbox") return h("label", { class: "check" }, h("input", { type, name }), label);
  const shown = Array.isArray(value) ? null : value;
  return h(
    "label",
    { class: "field" },
    h("span", { class: "field-label" }, label),
    h("input", { name, type, step: type === "number" ? "any" : null, value: shown, placeholder: shown === null ? "not set" : null }),
  );
}

export function orderedFaults() {
  if (!state.faults.length) return h("p", { class: "quiet", "data-key": "ordered" }, "No fault is ordered. The simulator works as the provider does.");
  return h(
    "div",
    { class: "ordered", "data-key": "ordered" },
    h(
      "ul",
      {},
      state.faults.map((fault) =>
        h(
          "li",
          {},
          h("span", { class: "tag tone-warn" }, icon("fault"), fault.kind),
          h("span", { class: "grow" }, describe(fault)),
          h("span", { class: "quiet" }, `applied ${fault.hits} of ${fault.count ?? "∞"}`),
        ),
      ),
    ),
    h(
      "div",
      { class: "buttons" },
      h("button", { class: "button small", type: "button", "data-action": "clear-faults" }, icon("close"), "Clear all"),
      copyButton(curlControl("faults", state.faults.map(orderOf)), "Copy as curl"),
    ),
  );
}

/** Return the fields of a fault that were set. */
function orderOf(fault) {
  const kind = state.kinds.find(({ name }) => name === fault.kind);
  const order = { kind: fault.kind, count: fault.count };
  for (const name of [...CONDITIONS, ...kind.fields.map((field) => field.name)]) {
    const value = fault[name];
    if (value !== null && value !== "" && value !== false && !(Array.isArray(value) && !value.length) && !(name === "min_messages" && value === 1)) order[name] = value;
  }
  if (kind.either) order.when = fault.when;
  if (fault.probability < 1) order.probability = fault.probability;
  return order;
}

function describe(fault) {
  const { kind: _kind, count: _count, ...rest } = orderOf(fault);
  return Object.entries(rest)
    .map(([name, value]) => `${name.replaceAll("_", " ")} ${value}`)
    .join(", ");
}

export async function submitFault(form) {
  const order = { count: null };
  for (const [name, value] of new FormData(form)) {
    if (value === "") continue;
    const type = LABELS[name]?.[1];
    if (name === "count" || name === "probability" || type === "number") order[name] = Number(value);
    else if (type === "checkbox") order[name] = true;
    else if (name === "references") order[name] = value.split(",").map((part) => part.trim());
    else if (name === "indexes") order[name] = value.split(",").map(Number);
    else if (name === "retry_after" && /^\d+$/.test(value)) order[name] = Number(value);
    else order[name] = value;
  }
  state.faults = (await post("faults", order)).faults;
}

export async function clearFaults() {
  state.faults = (await remove("faults")).faults;
}

/** The dialog for the error that an undeliverable phone reports. */
export function phoneCodeDialog(phone) {
  return h(
    "form",
    { class: "form", "data-submit": "phone-code", "data-number": phone.number },
    h("h2", { id: "dialog-title" }, "Undeliverable"),
    h("p", { class: "hint" }, "Every message to this phone ends as UNDELIVERABLE with this error."),
    h(
      "div",
      { class: "row" },
      h("label", { class: "field" }, h("span", { class: "field-label" }, "Code"), h("input", { name: "hex_code", value: phone.hex_code ?? "0x1701", required: true })),
      h("label", { class: "field" }, h("span", { class: "field-label" }, "Details"), h("input", { name: "details", value: phone.details ?? "Handset not in reach" })),
    ),
    h(
      "div",
      { class: "buttons end" },
      h("button", { class: "button", type: "button", "data-action": "close-dialog" }, "Cancel"),
      h("button", { class: "button primary", type: "submit" }, "Set"),
    ),
  );
}
