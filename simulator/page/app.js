// Starts the page: polls the simulator, shows the route of the address bar, and carries out what the user does.

import { get, post } from "/page/api.js";
import { composeDialog, copyOf, submitCompose } from "/page/compose.js";
import { conversationPane } from "/page/conversation.js";
import { messagePane } from "/page/details.js";
import { h, icon, show } from "/page/dom.js";
import { options, placeholder } from "/page/parts.js";
import { clearFaults, faultsDialog, loadKinds, phoneCodeDialog, submitFault } from "/page/faults.js";
import { phonesPane } from "/page/phones.js";
import { requestPane, requestsPane } from "/page/requests.js";
import { deadLettersPane } from "/page/stack.js";
import { allEntries, faultsLeft, phoneOf, stackKey, state, statusOf, take, untilNextStep } from "/page/state.js";
import { FILTERS, outcomeWords, phoneNumber, statusWords } from "/page/words.js";

const POLL_MS = 1000;
const TOAST_MS = 4000;
const byId = (id) => document.getElementById(id);
const dialog = byId("dialog");
let stepTimer = null;
let toastTimer = null;

// ---- The route: what the address bar names, so that a reload or a sent link shows the same ----

function route() {
  const [, kind = "", ...rest] = location.hash.split("/");
  const value = decoded(rest.join("/"));
  if (kind === "phone") return { view: "phone", number: Number(value) };
  if (kind === "message") {
    const entry = allEntries().find(({ id }) => id === value);
    return { view: "message", id: value, entry, number: entry?.number };
  }
  if (kind === "request") return { view: "request", request: Number(value) };
  if (kind === "requests" || kind === "dead-letters") return { view: kind };
  return { view: "" };
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // a link that was cut off
  }
}

// ---- Showing ----

function showAll() {
  const shown = route();
  const list = byId("bubbles");
  const atEnd = !list || list.scrollHeight - list.scrollTop - list.clientHeight < 40;
  const before = list?.getAttribute("aria-label");
  byId("panes").dataset.view = shown.view || "home";
  show(byId("phones"), phonesPane(shown));
  show(byId("conversation"), conversationPane(shown));
  show(byId("details"), detailsOf(shown));
  show(byId("tools"), tools(shown));
  for (const select of document.querySelectorAll("select[data-value]")) {
    if (select.dataset.shown !== select.dataset.value) select.value = select.dataset.value;
    select.dataset.shown = select.dataset.value;
  }
  const now = byId("bubbles");
  if (now && (atEnd || now.getAttribute("aria-label") !== before)) now.scrollTop = now.scrollHeight;
  byId("problem").textContent = state.problem;
  byId("problem").hidden = !state.problem;
  clearTimeout(stepTimer);
  const wait = untilNextStep();
  if (wait !== null) stepTimer = setTimeout(showAll, wait + 20);
}

function detailsOf(shown) {
  if (shown.view === "message") return shown.entry ? messagePane(shown.entry) : missing();
  if (shown.view === "request") return requestPane(shown.request);
  if (shown.view === "dead-letters") return deadLettersPane();
  return requestsPane();
}

function missing() {
  return placeholder(
    "question",
    "This message is not here",
    h("p", {}, "The simulator has been restarted or reset since, or has newer messages only."),
    h("p", {}, h("a", { href: "#/" }, "Show all messages")),
  );
}

function tools(shown) {
  const label = (name, words) => [icon(name), h("span", { class: "wide-only" }, words)];
  const count = (number, tone) => number > 0 && h("span", { class: `count ${tone}` }, number);
  const link = (view, ...children) =>
    h("a", { class: "button", href: `#/${view}`, "aria-current": shown.view === view ? "page" : null }, ...children);
  return [
    link("requests", label("requests", "Requests")),
    state.stack && link("dead-letters", label("letters", "Dead letters"), count(state.stack.dead_letters, "bad")),
    h("button", { class: "button", "data-action": "faults" }, label("fault", "Faults"), count(faultsLeft(), "warn")),
    h("button", { class: "button primary", "data-action": "compose" }, label("compose", "Compose")),
  ];
}

// ---- Polling ----

async function poll() {
  try {
    const run = state.run ?? "";
    const answer = await get(`conversations?run=${run}&since=${state.cursor}&records_since=${state.recordsCursor}`);
    const added = take(answer);
    const recovered = state.problem !== "";
    state.problem = answer.problem ?? "";
    if (added !== null || recovered || state.problem) {
      announce(added ?? []);
      await loadDetails();
      showAll();
    }
  } catch (error) {
    if (state.problem !== error.message) {
      state.problem = error.message;
      showAll();
    }
  }
}

async function pollForever() {
  if (!document.hidden) await poll();
  setTimeout(pollForever, POLL_MS);
}

function announce(added) {
  const words = added.slice(-3).map((entry) => {
    const who = phoneNumber(entry.number);
    if (entry.kind === "received") return `${who} sent: ${entry.text}`;
    if (entry.kind === "refused") return `Message to ${who} not accepted: ${outcomeWords(entry.outcome)}`;
    return `Message to ${who}: ${entry.text}. ${statusWords(statusOf(entry)).word}`;
  });
  if (words.length) byId("announcer").textContent = words.join(". ");
}

/** Load what the right pane needs for the route. */
async function loadDetails() {
  const shown = route();
  if (shown.view === "dead-letters" && state.stack) state.deadLetters = (await get("dead-letters")).dead_letters;
  if (shown.view === "request") state.details = { id: `request-${shown.request}`, ...(await get(`request?number=${shown.request}`)) };
  if (shown.view === "message" && shown.entry) {
    const { id, kind } = shown.entry;
    const key = stackKey(shown.entry);
    const own = kind === "record" ? { requests: [], webhooks: [] } : await get(`message?id=${encodeURIComponent(id)}`);
    const stack = state.stack && key ? await get(`stack-message?reference=${encodeURIComponent(key)}`) : null;
    state.details = { id, ...own, stack };
  }
}

async function goTo() {
  showAll();
  try {
    await loadDetails();
  } catch (error) {
    toast(error.message);
  }
  showAll();
  // A narrow screen shows one pane at a time: move the focus into the new one.
  const pane = { phone: "conversation", message: "details", request: "details", requests: "details", "dead-letters": "details" }[route().view];
  if (pane && getComputedStyle(byId("phones")).display === "none") byId(pane).focus({ preventScroll: true });
}

// ---- What a user of the page does ----

function toast(words) {
  byId("toast").textContent = words;
  byId("toast").classList.add("shown");
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => {
    byId("toast").classList.remove("shown");
    byId("toast").textContent = "";
  }, TOAST_MS);
}

function openDialog(content) {
  dialog.replaceChildren();
  updateDialog(content);
  dialog.showModal();
}

function updateDialog(content) {
  show(dialog, content);
  for (const select of dialog.querySelectorAll("select[data-value]")) select.value = select.dataset.value;
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    toast("Copied.");
  } catch {
    toast("The browser does not allow copying here.");
  }
}

const ACTIONS = {
  copy: ({ text }) => copy(text),
  "copy-link": () => copy(location.href),
  compose: async () => {
    if (state.run === null) await poll(); // the form depends on whether there is a stack
    openDialog(composeDialog(route().number));
  },
  "close-dialog": () => dialog.close(),
  "clear-search": () => {
    byId("search").value = state.search = "";
    byId("status-filter").value = state.filter = "";
    showAll();
  },
  faults: async () => {
    await loadKinds();
    openDialog(faultsDialog());
  },
  "clear-faults": async () => {
    await clearFaults();
    updateDialog(faultsDialog(dialog.querySelector("[name=kind]").value));
    showAll();
  },
  stop: async ({ number }) => {
    await post("inbound", { message: "STOP", sender: Number(number) });
    await poll();
  },
  repeat: async ({ event, repeat }) => {
    const { answer, error, answer_body: body } = await post("repeat", { event_id: event, change: repeat });
    toast(`Answer: ${outcomeWords(answer ?? error)}. ${body}`);
    await loadDetails();
    showAll();
  },
  redrive: async ({ reference }) => {
    const { redriven } = await post("redrive", { reference });
    toast(redriven ? `${reference} is on the queue again.` : `${reference} is no longer in the dead-letter queue.`);
    await poll();
    await loadDetails();
    showAll();
  },
  "phone-code": ({ number }) => openDialog(phoneCodeDialog(phoneOf(Number(number)))),
};

const SUBMITS = {
  reply: async (form) => {
    await post("inbound", { message: form.elements.text.value, sender: Number(form.dataset.number) });
    form.reset();
    await poll();
  },
  compose: async (form) => {
    const number = await submitCompose(form);
    dialog.close();
    toast(state.stack ? "The message is on the queue." : "Sent.");
    location.hash = `#/phone/${number}`;
    await poll();
  },
  fault: async (form) => {
    await submitFault(form);
    updateDialog(faultsDialog(form.elements.kind.value));
    toast("The fault is set.");
    showAll();
  },
  "phone-code": async (form) => {
    const { hex_code: code, details } = form.elements;
    await post("phones", { number: Number(form.dataset.number), state: "undeliverable", hex_code: code.value, details: details.value });
    dialog.close();
    await poll();
  },
};

const CHANGES = {
  "phone-state": async (select) => {
    const phone = phoneOf(Number(select.dataset.number));
    await post("phones", { ...phone, state: select.value });
    await poll();
  },
  "fault-kind": (select) => updateDialog(faultsDialog(select.value)),
};

async function carryOut(action) {
  try {
    await action();
  } catch (error) {
    const place = dialog.open && dialog.querySelector("form");
    toast(error.message);
    if (place) showProblem(place, error.message);
  }
}

function showProblem(form, words) {
  form.querySelector(".form-problem")?.remove();
  form.querySelector(".buttons.end").before(h("p", { class: "form-problem", role: "alert" }, words));
}

document.addEventListener("click", (event) => {
  const target = event.target.closest("[data-action]");
  if (target) carryOut(() => ACTIONS[target.dataset.action](target.dataset));
});

document.addEventListener("submit", (event) => {
  event.preventDefault();
  const name = event.target.dataset.submit;
  if (name) carryOut(() => SUBMITS[name](event.target));
});

document.addEventListener("change", (event) => {
  const name = event.target.dataset.change;
  if (name) carryOut(() => CHANGES[name](event.target));
});

document.addEventListener("input", (event) => {
  const form = event.target.closest("[data-input=compose]");
  if (form) byId("compose-copy").replaceChildren(copyOf(form));
});

byId("search").addEventListener("input", (event) => {
  state.search = event.target.value;
  showAll();
});

byId("status-filter").addEventListener("change", (event) => {
  state.filter = event.target.value;
  showAll();
});

// The usual keys: / to search, c to compose, f for faults. They do nothing while the user types.
document.addEventListener("keydown", (event) => {
  if (dialog.open || event.ctrlKey || event.metaKey || event.altKey) return;
  // A closed dialog can keep the focus until the browser renders the page again.
  if (event.target.matches("input, textarea, select") && !dialog.contains(event.target)) return;
  const key = { "/": () => byId("search").focus(), c: ACTIONS.compose, f: ACTIONS.faults }[event.key];
  if (key) {
    event.preventDefault();
    carryOut(key);
  }
});

window.addEventListener("hashchange", goTo);
document.addEventListener("visibilitychange", () => !document.hidden && poll());

byId("status-filter").append(...options(FILTERS));
showAll();
await poll();
await goTo();
pollForever();
