// What the page has received so far, and what follows from it.

export const state = {
  run: null,
  cursor: 0,
  recordsCursor: 0,
  entries: new Map(),
  records: new Map(),
  optOuts: new Map(),
  faults: [],
  phones: [],
  requests: [],
  requestCount: 0,
  pending: 0,
  url: location.origin,
  token: "",
  webhookUrl: null,
  stack: null,
  deadLetters: null,
  kinds: null,
  details: null,
  search: "",
  filter: "",
  problem: "",
};

const NEWEST = 2000;

// Everything beside the messages that is shown at a glance.
function glance() {
  const { faults, phones, requestCount, pending, webhookUrl, stack } = state;
  return JSON.stringify([faults, phones, requestCount, pending, webhookUrl, stack]);
}

/** Take in the answer of one poll. Return the entries that are new, or null if nothing changed. */
export function take(answer) {
  const fresh = answer.run !== state.run;
  if (fresh) {
    state.entries.clear();
    state.records.clear();
    state.optOuts.clear();
    state.run = answer.run;
  }
  const streamGrew = (answer.records_cursor ?? 0) !== state.recordsCursor;
  const added = answer.entries.filter((entry) => !state.entries.has(entry.id));
  for (const entry of answer.entries) state.entries.set(entry.id, withTimes(entry));
  for (const record of answer.records ?? []) state.records.set(record.reference, record);
  for (const optOut of answer.opt_outs ?? []) state.optOuts.set(optOut.number, optOut.status);
  while (state.entries.size > NEWEST) state.entries.delete(state.entries.keys().next().value);
  const before = glance();
  state.cursor = answer.cursor;
  state.recordsCursor = answer.records_cursor ?? 0;
  state.faults = answer.faults;
  state.phones = answer.phones;
  state.requests = answer.requests;
  state.requestCount = answer.request_count;
  state.pending = answer.pending;
  state.url = answer.url;
  state.token = answer.token;
  state.webhookUrl = answer.webhook_url;
  state.stack = answer.stack ?? null;
  const after = glance();
  const changed = fresh || answer.entries.length > 0 || streamGrew || before !== after;
  return changed ? (fresh ? [] : added) : null;
}

// Times are compared often, so they are parsed once.
function withTimes(entry) {
  return { ...entry, ms: Date.parse(entry.at), steps: entry.steps.map((step) => ({ ...step, ms: Date.parse(step.at) })) };
}

/** Return the status that an entry has now. A step in the future has not happened yet. */
export function statusOf(entry) {
  if (entry.kind === "received") return "RECEIVED";
  if (entry.kind === "refused") return "REFUSED";
  if (entry.kind === "record") return entry.status;
  const now = Date.now();
  return entry.steps.findLast((step) => step.ms <= now)?.status ?? "ACCEPTED";
}

/** Return the milliseconds until the next status of any message, or null. */
export function untilNextStep() {
  const now = Date.now();
  let next = null;
  for (const entry of state.entries.values()) {
    for (const step of entry.steps) {
      const left = step.ms - now;
      if (left > 0 && (next === null || left < next)) next = left;
    }
  }
  return next;
}

/** Return all texts, and the records of the stack for messages that the provider never accepted, oldest first. */
export function allEntries() {
  const accepted = new Set();
  for (const entry of state.entries.values()) if (entry.kind === "sent") accepted.add(entry.reference);
  const unsent = [...state.records.values()]
    .filter((record) => record.number && !accepted.has(record.reference))
    .map((record) => withTimes({
      id: `record-${record.reference}`,
      kind: "record",
      number: record.number,
      at: record.queued_at ?? record.updated_at,
      text: "",
      sender: record.sender ?? "",
      reference: record.reference,
      status: record.status,
      error: record.error,
      steps: [],
      faults: [],
    }));
  return [...state.entries.values(), ...unsent].sort((a, b) => a.ms - b.ms);
}

/** Return the key that the stack's table has for an entry: a reference, or the msg_id of a text from a person. */
export function stackKey(entry) {
  return entry.kind === "received" ? entry.id : entry.reference;
}

function matches(entry) {
  if (state.filter && !state.filter.split(" ").includes(statusOf(entry))) return false;
  const wanted = state.search.trim().toLowerCase();
  if (!wanted) return true;
  const digits = wanted.replace(/[+\s]/g, "");
  return (
    entry.text.toLowerCase().includes(wanted) ||
    (entry.reference ?? "").toLowerCase().includes(wanted) ||
    (entry.sender ?? "").toLowerCase().includes(wanted) ||
    (/^\d+$/.test(digits) && String(entry.number).includes(digits))
  );
}

/** Return the phones with a matching text, newest first, each with its matching entries. */
export function conversations() {
  const found = new Map();
  for (const entry of allEntries()) {
    if (!matches(entry)) continue;
    const conversation = found.get(entry.number) ?? { number: entry.number, entries: [] };
    conversation.entries.push(entry);
    found.set(entry.number, conversation);
  }
  return [...found.values()].sort((a, b) => b.entries.at(-1).ms - a.entries.at(-1).ms);
}

/** Return the state of a phone: on, unless it was set. */
export function phoneOf(number) {
  return state.phones.find((phone) => phone.number === number) ?? { number, state: "on" };
}

export function faultsLeft() {
  return state.faults.filter((fault) => fault.count === null || fault.hits < fault.count).length;
}
