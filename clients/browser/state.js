/** What the extension keeps, in the browser's own storage on this machine: the server and the token for it, the manners, the sites. */

import { manners } from "./typing/manners.js";
import { Settings } from "./typing/settings.js";

export const SERVER = "http://127.0.0.1:8765";
const PLACES = ["server", "token", "manners", "sites", "off"];

/** @returns {Promise<{server: string, token: string, manners: object, sites: Record<string, {learn: boolean}>, off: boolean}>} off: everywhere, as the server said last */
export async function state() {
  const kept = await chrome.storage.local.get(PLACES);
  return {
    server: serverAt(kept.server) ?? SERVER,
    token: typeof kept.token === "string" ? kept.token : "",
    manners: manners(kept.manners),
    sites: kept.sites !== null && typeof kept.sites === "object" ? kept.sites : {},
    off: kept.off === true,
  };
}

/** The manners as a form changes them, here and wherever else they are changed. */
export async function settingsHere() {
  const settings = new Settings((await state()).manners, (chosen) => keep({ manners: chosen }));
  chrome.storage.onChanged.addListener(async ({ manners: changed }) => {
    if (!changed) return;
    const now = (await state()).manners;
    if (JSON.stringify(now) !== JSON.stringify(settings.manners)) settings.set(now);
  });
  return settings;
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
