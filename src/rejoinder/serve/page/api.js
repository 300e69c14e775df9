/** The server's endpoints. Every answer is JSON; every failure is an Error whose message a person can act on. */

const json = { "Content-Type": "application/json" };

async function ask(path, options = {}) {
  let response;
  try {
    response = await fetch(path, { credentials: "same-origin", cache: "no-store", ...options });
  } catch {
    throw new Error("The server does not answer: is `rejoinder serve` still running?");
  }
  if (response.ok) return JSON.parse(await response.text(), exact);
  const said = await response.json().catch(() => ({}));
  throw Object.assign(new Error(reason(said) ?? `The server answered ${response.status}.`), { status: response.status });
}

/** Posts have numbers of up to 63 bits, more than JavaScript's own hold: the longer ones stay text, as they were written. */
function exact(_, value, written) {
  return Number.isInteger(value) && !Number.isSafeInteger(value) && written ? written.source : value;
}

/** What a refusal says of itself, in any of the shapes it comes in. */
function reason(said) {
  const told = said.detail ?? said.error ?? said.message;
  if (typeof told === "string") return told;
  if (Array.isArray(told)) return told.map((one) => one.msg).join("; ");
  return told?.message;
}

const put = (path, body, more = {}) => ask(path, { method: "POST", headers: json, body: JSON.stringify(body), ...more });

export const search = (words, k) => ask(`/v1/search?q=${encodeURIComponent(words)}&k=${k}`);
export const post = (id) => ask(`/v1/posts/${encodeURIComponent(id)}`);
export const thread = (id) => ask(`/v1/threads/${encodeURIComponent(id)}`);
export const reply = (body) => put("/v1/reply", body);
export const inspectCell = (text) => put("/v1/inspect/cell", { text });
export const rungs = () => ask("/v1/rungs");
export const own = () => ask("/v1/own");
export const addOwn = (text) => put("/v1/own", { text }, { keepalive: true }); // also while the page is being left
export const eraseOwn = () => ask("/v1/own", { method: "DELETE" });
export const helping = (on) => (on === undefined ? ask("/v1/switch") : put("/v1/switch", { on }));
export const pairings = () => ask("/v1/pairings");
export const pair = (code) => put("/v1/pairings", { code });
export const unpair = (id) => ask(`/v1/pairings/${encodeURIComponent(id)}`, { method: "DELETE" });
export const ladder = () => ask("/v1/ladder");

const session = crypto.randomUUID();
let sequence = 0;

/** Ask about a draft; null if a newer question has overtaken this one, or the server has too much to do. */
export async function suggest(body) {
  try {
    const said = await put("/v1/suggest", { ...body, session, sequence: ++sequence }, { priority: "high" });
    return said.superseded ? null : said;
  } catch (error) {
    if (error.status === 503) return null;
    throw error;
  }
}
