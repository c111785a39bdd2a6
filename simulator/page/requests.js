// The newest requests to send, and one of them in full.

import { outcomeTags, requestDetails } from "/page/details.js";
import { h, icon } from "/page/dom.js";
import { state } from "/page/state.js";
import { exactTime, plural } from "/page/words.js";

export function requestsPane() {
  if (!state.requests.length) {
    return h(
      "div",
      { class: "placeholder" },
      icon("requests"),
      h("h2", {}, "Requests"),
      h("p", {}, "Every request to the provider's API is listed here, also those that it refuses."),
    );
  }
  return [
    h(
      "header",
      { class: "pane-head" },
      h("a", { class: "icon-button back", href: "#/", "aria-label": "Back to the phones" }, icon("back")),
      h("h2", {}, plural(state.requestCount, "request")),
      state.pending > 0 && h("span", { class: "pill" }, icon("webhook"), `${plural(state.pending, "webhook")} pending`),
    ),
    h(
      "ol",
      { class: "request-list" },
      [...state.requests].reverse().map((request) => requestItem(request)),
    ),
  ];
}

function requestItem(request) {
  const references = request.references.filter(Boolean);
  return h(
    "li",
    { "data-key": request.number },
    h(
      "a",
      { class: "request", href: `#/request/${request.number}` },
      h("span", { class: "request-number" }, request.number),
      h(
        "span",
        { class: "request-text" },
        h("span", { class: "request-path" }, `POST ${request.path}`),
        h("span", { class: "quiet" }, `${plural(request.messages, "message")}${references.length ? `: ${references.slice(0, 3).join(", ")}` : ""}${references.length > 3 ? ", …" : ""}`),
      ),
      outcomeTags(request),
      h("time", { datetime: request.at }, exactTime(request.at)),
    ),
  );
}

export function requestPane(number) {
  const request = state.details?.id === `request-${number}` ? state.details.request : null;
  return [
    h(
      "header",
      { class: "pane-head" },
      h("a", { class: "icon-button", href: "#/requests", "aria-label": "Back to the requests" }, icon("back")),
      h("h2", {}, `Request ${number}`),
    ),
    h("div", { class: "card" }, request ? requestDetails(request, true) : h("p", { class: "quiet" }, "Loading…")),
  ];
}
