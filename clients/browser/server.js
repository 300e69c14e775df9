/** The server on this machine, asked with the token of this extension. Every failure is an Error whose message a person can act on. */

import { keep, state } from "./state.js";

const PATIENCE = 20_000; // milliseconds

/** The answer to a question; without a body it is a GET. */
export async function ask(path, body, { method = body === undefined ? "GET" : "POST" } = {}) {
  const { server, token } = await state();
  let response;
  try {
    response = await fetch(server + path, {
      method,
      headers: { ...(body === undefined ? {} : { "Content-Type": "application/json" }), ...(token ? { Authorization: `Bearer ${token}` } : {}) },
      body: body === undefined ? undefined : JSON.stringify(body),
      cache: "no-store",
      credentials: "omit",
      redirect: "error",
      signal: AbortSignal.timeout(PATIENCE),
    });
  } catch {
    throw failed(`No server at ${server}. Start it: rejoinder serve`, "gone");
  }
  const said = await response.json().catch(() => ({}));
  if (response.ok) return said;
  throw failed(said.error?.message ?? `The server answered ${response.status}.`, said.error?.code === "not_paired" ? "not_paired" : String(response.status));
}

/** How the switch for all help while typing stands, asked of the server or turned there. @returns {Promise<{on: boolean}>} */
export async function helping(on) {
  const said = await ask("/v1/switch", on === undefined ? undefined : { on });
  await keep({ off: !said.on });
  return said;
}

const failed = (message, code) => Object.assign(new Error(message), { code });
