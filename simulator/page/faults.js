// The dialog that sets faults, and lists those that are set.

import { get, post, remove } from "/page/api.js";
import { copyButton, curlControl } from "/page/copy.js";
import { h, icon } from "/page/dom.js";
import { checkbox, collapsed, collapsedTitle, dialogForm, field, options, row, tag } from "/page/parts.js";
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
const WHEN = [
  ["before", "before the messages are accepted"],
  ["after", "after the messages are accepted"],
];
const CONDITIONS = ["reference", "reference_contains", "text_contains", "recipient", "min_messages"];

export async function loadKinds() {
  state.kinds ??= (await get("fault-kinds")).kinds;
}

export function faultsDialog(chosen = "429") {
  const kind = state.kinds.find(({ name }) => name === chosen);
  const count = h("input", { name: "count", type: "number", min: "1", value: "1", placeholder: "until cleared" });
  const children = [
    faultList(),
    row(
      field(
        "Fault",
        h(
          "select",
          { name: "kind", "data-change": "fault-kind", "data-value": chosen },
          h("optgroup", { label: "Answers" }, kindOptions(false)),
          h("optgroup", { label: "Webhooks" }, kindOptions(true)),
        ),
      ),
      field(isForWebhooks(chosen) ? "For the next messages" : "For the next requests", count),
    ),
    h("p", { class: "hint", "data-key": `text-${chosen}` }, kind.text),
    (kind.fields.length > 0 || kind.either) &&
      h(
        "div",
        { class: "row", "data-key": `fields-${chosen}` },
        kind.either && field("When", h("select", { name: "when", "data-value": kind.when }, options(WHEN))),
        kind.fields.map(({ name, default: value }) => input(name, value)),
      ),
    collapsed("conditions", [collapsedTitle("Only for certain messages")], row(CONDITIONS.map((name) => input(name, null)), probability())),
  ];
  return dialogForm({ "data-submit": "fault" }, "Faults", children, { cancel: "Close", submit: [icon("fault"), "Set the fault"] });
}

const isForWebhooks = (kind) => kind.startsWith("webhook-");

function kindOptions(forWebhooks) {
  const names = state.kinds.map(({ name }) => name).filter((name) => isForWebhooks(name) === forWebhooks);
  return options(names.map((name) => [name, name]));
}

function probability() {
  const attributes = { name: "probability", type: "number", min: "0", max: "1", step: "any", placeholder: "1" };
  return field("Probability", h("input", attributes));
}

function input(name, value) {
  const [label, type] = LABELS[name];
  if (type === "checkbox") return checkbox(name, label);
  const shown = Array.isArray(value) ? null : value;
  const step = type === "number" ? "any" : null;
  return field(label, h("input", { name, type, step, value: shown, placeholder: shown === null ? "not set" : null }));
}

function faultList() {
  if (!state.faults.length) return h("p", { class: "quiet", "data-key": "fault-list" }, "No fault is set. The simulator works as the provider does.");
  return h(
    "div",
    { class: "fault-list", "data-key": "fault-list" },
    h(
      "ul",
      {},
      state.faults.map((fault) =>
        h(
          "li",
          {},
          tag("warn", icon("fault"), fault.kind),
          h("span", { class: "grow" }, describe(fault)),
          h("span", { class: "quiet" }, `applied ${fault.hits} of ${fault.count ?? "∞"}`),
        ),
      ),
    ),
    h(
      "div",
      { class: "buttons" },
      h("button", { class: "button small", type: "button", "data-action": "clear-faults" }, icon("close"), "Clear all"),
      copyButton(curlControl("faults", state.faults.map(bodyOf)), "Copy as curl"),
    ),
  );
}

/** Return the fields of a fault that were set. */
function bodyOf(fault) {
  const kind = state.kinds.find(({ name }) => name === fault.kind);
  const body = { kind: fault.kind, count: fault.count };
  for (const name of [...CONDITIONS, ...kind.fields.map((field) => field.name)]) {
    if (isSet(name, fault[name])) body[name] = fault[name];
  }
  if (kind.either) body.when = fault.when;
  if (fault.probability < 1) body.probability = fault.probability;
  return body;
}

function isSet(name, value) {
  if (name === "min_messages") return value > 1;
  return value !== null && value !== "" && value !== false && value.length !== 0;
}

function describe(fault) {
  const { kind: _kind, count: _count, ...rest } = bodyOf(fault);
  return Object.entries(rest)
    .map(([name, value]) => `${name.replaceAll("_", " ")} ${value}`)
    .join(", ");
}

export async function submitFault(form) {
  const body = { count: null };
  for (const [name, value] of new FormData(form)) {
    if (value === "") continue;
    const type = LABELS[name]?.[1];
    if (name === "count" || name === "probability" || type === "number") body[name] = Number(value);
    else if (type === "checkbox") body[name] = true;
    else if (name === "references") body[name] = value.split(",").map((part) => part.trim());
    else if (name === "indexes") body[name] = value.split(",").map(Number);
    else if (name === "retry_after" && /^\d+$/.test(value)) body[name] = Number(value);
    else body[name] = value;
  }
  state.faults = (await post("faults", body)).faults;
}

export async function clearFaults() {
  state.faults = (await remove("faults")).faults;
}

/** The dialog for the error that an undeliverable phone reports. */
export function phoneCodeDialog(phone) {
  const children = [
    h("p", { class: "hint" }, "Every message to this phone ends as UNDELIVERABLE with this error."),
    row(
      field("Code", h("input", { name: "hex_code", value: phone.hex_code ?? "0x1701", required: true })),
      field("Details", h("input", { name: "details", value: phone.details ?? "Handset not in reach" })),
    ),
  ];
  return dialogForm({ "data-submit": "phone-code", "data-number": phone.number }, "Undeliverable", children, { submit: "Set" });
}
