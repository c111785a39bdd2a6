// Requests to the simulator.

/** An answer that is not a success, or none at all. */
export class ApiError extends Error {}

async function ask(method, path, body, headers = {}) {
  let response;
  try {
    response = await fetch(path, {
      method,
      headers: { "Content-Type": "application/json", ...headers },
      body: body === undefined ? undefined : JSON.stringify(body),
      cache: "no-store",
    });
  } catch {
    throw new ApiError("The simulator does not answer.");
  }
  const text = await response.text();
  let content;
  try {
    content = JSON.parse(text);
  } catch {
    content = {};
  }
  if (!response.ok) throw new ApiError(content.error ?? `${response.status} ${text.slice(0, 300)}`);
  return content;
}

export const get = (route) => ask("GET", `/_control/${route}`);
export const post = (route, body = {}) => ask("POST", `/_control/${route}`, body);
export const remove = (route) => ask("DELETE", `/_control/${route}`);

/** Send a message to the provider's own API, as a client does. */
export const send = (message, token) => ask("POST", "/mobile/single", message, { Authorization: `Token ${token}` });
