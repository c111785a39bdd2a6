// The newest requests to send, and one of them in full.

import { outcomeTags, requestDetails } from "/page/details.js";
import { h, icon } from "/page/dom.js";
import { paneHead, placeholder } from "/page/parts.js";
import { state } from "/page/state.js";
import { exactTime, plural } from "/page/words.js";

export function requestsPane() {
  if (!state.requests.length) {
    const words = "Every request to the provider's API is listed here, also those that it refuses.";
    return placeholder("requests", "Requests", h("p", {}, words));
  }
  return [
    paneHead(
      "#/",
      "Back to the phones",
      plural(state.requestCount, "request"),
      state.pending > 0 && h("span", { class: "pill" }, icon("webhook"), `${plural(state.pending, "webhook")} pending`),
    ),
    h("ol", { class: "request-list" }, [...state.requests].reverse().map((request) => requestItem(request))),
  ];
}

function requestItem(request) {
  const references = request.references.filter(Boolean);
  const shown = [...references.slice(0, 3), ...(references.length > 3 ? ["…"] : [])].join(", ");
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
        h("span", { class: "quiet" }, plural(request.messages, "message") + (shown && `: ${shown}`)),
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
    h("div", { class: "card" }, request ? Object.assign(requestDetails(request), { open: true }) : h("p", { class: "quiet" }, "Loading…")),
  ];
}
