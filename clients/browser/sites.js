/** The sites where a person has switched help on. On all others no script of ours runs. */

import { refusedSite } from "./refused.js";
import { keep, state } from "./state.js";

const idOf = (site) => `site ${site}`;
const SCRIPT = "/content/loader.js"; // from the root: Firefox looks from the page that asks on

/** Help on a site from now on; `tab` is where the person is. */
export async function switchOn(site, tab) {
  const reason = refusedSite(site);
  if (reason !== null) throw new Error(reason);
  const { sites } = await state();
  await keep({ sites: { ...sites, [site]: sites[site] ?? { learn: false } } });
  await register();
  if (tab !== undefined) await chrome.scripting.executeScript({ target: { tabId: tab, allFrames: true }, files: [SCRIPT] }).catch(() => {});
}

/** No more help there. */
export async function switchOff(site) {
  const { sites } = await state();
  const { [site]: _, ...others } = sites;
  await keep({ sites: others });
  await register();
  for (const scheme of ["http", "https"]) await chrome.permissions.remove({ origins: [`${scheme}://${site}/*`] }).catch(() => {}); // what came with the extension stays
}

/** Whether sentences finished there are learned from. */
export async function learnFrom(site, learn) {
  const { sites } = await state();
  if (sites[site]) await keep({ sites: { ...sites, [site]: { learn } } });
}

/** Have the browser run our script on those sites, and on no other. */
export async function register() {
  const { sites } = await state();
  const wanted = Object.keys(sites).filter((site) => refusedSite(site) === null);
  const present = (await chrome.scripting.getRegisteredContentScripts()).map(({ id }) => id);
  const gone = present.filter((id) => !wanted.some((site) => idOf(site) === id));
  if (gone.length) await chrome.scripting.unregisterContentScripts({ ids: gone });
  const fresh = wanted.filter((site) => !present.includes(idOf(site)));
  for (const site of fresh) {
    const script = { id: idOf(site), matches: [`*://${site}/*`], js: [SCRIPT], allFrames: true, matchOriginAsFallback: true, runAt: "document_idle" };
    await chrome.scripting.registerContentScripts([script]).catch(() => {}); // a permission that was taken back
  }
}
