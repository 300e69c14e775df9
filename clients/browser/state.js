/** What the extension keeps, in the browser's own storage on this machine: the server and the token for it, the manners, the sites. */

import { manners } from "./typing/manners.js";

export const SERVER = "http://127.0.0.1:8765";
const PLACES = ["server", "token", "manners", "sites"];

/** @returns {Promise<{server: string, token: string, manners: object, sites: Record<string, {learn: boolean}>}>} */
export async function state() {
  const kept = await chrome.storage.local.get(PLACES);
  return {
    server: serverAt(kept.server) ?? SERVER,
    token: typeof kept.token === "string" ? kept.token : "",
    manners: manners(kept.manners),
    sites: kept.sites !== null && typeof kept.sites === "object" ? kept.sites : {},
  };
}

/** Keep some of it. */
export const keep = (some) => chrome.storage.local.set(some);

/** The origin of a server of this machine, else null: nothing is ever asked of another. */
export function serverAt(address) {
  try {
    const { protocol, hostname, origin } = new URL(address);
    return protocol === "http:" && ["127.0.0.1", "localhost"].includes(hostname) ? origin : null;
  } catch {
    return null;
  }
}

/** The name of the site of an address; "" where no help can be given, as on the browser's own pages. */
export function siteOf(address) {
  try {
    const { protocol, hostname } = new URL(address);
    return ["http:", "https:"].includes(protocol) ? hostname : "";
  } catch {
    return "";
  }
}
