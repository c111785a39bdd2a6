// How things are written on the page: numbers, times, statuses.

const COUNTRY_CODE = /^(1|7|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]|\d{3})/;

/** Return a phone number in groups: +45 12 34 56 78. */
export function phoneNumber(number) {
  const digits = String(number);
  const country = COUNTRY_CODE.exec(digits)?.[0] ?? "";
  const rest = digits.slice(country.length);
  if (country === "1") return ["+1", rest.slice(0, 3), rest.slice(3, 6), rest.slice(6)].join(" ");
  const groups = rest.length % 2 ? [rest.slice(0, 3), ...(rest.slice(3).match(/../g) ?? [])] : (rest.match(/../g) ?? []);
  return ["+" + country, ...groups].join(" ");
}

/** Return the time of day, and the day as well if it was not today. */
export function time(at) {
  const date = new Date(at);
  return withDay(date, date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hour12: false }));
}

/** Return the same with milliseconds. */
export function exactTime(at) {
  const date = new Date(at);
  return withDay(date, `${date.toLocaleTimeString([], { hour12: false })}.${String(date.getMilliseconds()).padStart(3, "0")}`);
}

function withDay(date, clock) {
  if (new Date().toDateString() === date.toDateString()) return clock;
  return `${date.toLocaleDateString([], { day: "numeric", month: "short" })}, ${clock}`;
}

/** Return the time since an earlier one, as +1.25 s. */
export function after(at, start) {
  const seconds = (new Date(at) - new Date(start)) / 1000;
  if (seconds < 120) return `+${Math.max(0, seconds).toFixed(2)} s`;
  return seconds < 7200 ? `+${(seconds / 60).toFixed(0)} min` : `+${(seconds / 3600).toFixed(1)} h`;
}

export function plural(count, noun) {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

// A status: its word, its icon, and its tone, which decides the colour.
const STATUSES = {
  ACCEPTED: ["Accepted", "clock", "quiet"],
  ENROUTE: ["On its way", "enroute", "quiet"],
  UNKNOWN: ["Unknown", "question", "warn"],
  DELIVERED: ["Delivered", "delivered", "good"],
  READ: ["Read", "read", "good"],
  EXPIRED: ["Expired", "failed", "bad"],
  DELETED: ["Deleted", "failed", "bad"],
  UNDELIVERABLE: ["Undeliverable", "failed", "bad"],
  REJECTED: ["Rejected", "failed", "bad"],
  RECEIVED: ["From the person", "bubble", "quiet"],
  REFUSED: ["Not accepted", "warning", "warn"],
  SENDING: ["Being sent", "clock", "quiet"],
  RETRYING: ["Not sent yet", "again", "warn"],
  UNCERTAIN: ["Uncertain", "question", "warn"],
  INVALID: ["Invalid", "failed", "bad"],
  LAPSED: ["Expired in the queue", "failed", "bad"],
  SUPPRESSED: ["Opted out", "pause", "warn"],
  HELD: ["Held", "pause", "warn"],
};

/** Return the word, icon and tone of a status; a status that is not listed is shown as it is. */
export function statusWords(status) {
  const [word, icon, tone] = STATUSES[status] ?? [status, "question", "quiet"];
  return { word, icon, tone };
}

/** The statuses that messages can be filtered by. */
export const FILTERS = [
  ["", "All statuses"],
  ["DELIVERED READ", "Delivered"],
  ["ACCEPTED ENROUTE SENDING", "On the way"],
  ["EXPIRED DELETED UNDELIVERABLE REJECTED", "Not delivered"],
  ["REFUSED RETRYING", "Not accepted"],
  ["UNKNOWN UNCERTAIN", "Uncertain"],
  ["INVALID LAPSED SUPPRESSED HELD", "Never sent"],
  ["RECEIVED", "From a person"],
];

const ANSWERS = {
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  413: "Too Large",
  422: "Unprocessable",
  429: "Too Many Requests",
  500: "Server Error",
  502: "Bad Gateway",
  503: "Unavailable",
  504: "Gateway Timeout",
  202: "Accepted",
  200: "OK",
  hang: "no answer",
  reset: "connection reset",
};

/** Return an HTTP status or a broken connection in words. */
export function outcomeWords(outcome) {
  const words = ANSWERS[outcome];
  if (typeof outcome === "string") return words ?? outcome;
  return words ? `${outcome} ${words}` : String(outcome);
}

/** Return the tone of an HTTP status. */
export function outcomeTone(outcome) {
  if (typeof outcome !== "number") return "bad";
  return outcome < 300 ? "good" : outcome < 500 ? "warn" : "bad";
}

/** Return JSON with line breaks, or the text as it is if it is not JSON. */
export function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}
