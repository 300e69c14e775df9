/** The popup: help on this site or not, and replies to the thread on the page. */

import { contextOf } from "../contextof.js";
import { refusedSite } from "../refused.js";
import { ask, helping } from "../server.js";
import { learnFrom, switchOff, switchOn } from "../sites.js";
import { keep, settingsHere, siteOf, state } from "../state.js";
import { byId } from "../typing/elements.js";
import { gateForm, placed } from "../typing/mannersform.js";
import { spoken } from "../typing/spoken.js";
import { Switch } from "../typing/switch.js";
import { replyItem } from "./reply.js";

const MOST = 5; // replies
const named = new URLSearchParams(location.search); // for tests, where the popup is a page of its own
const tab = await currentTab();
const site = siteOf(tab?.url ?? named.get("address") ?? "");

byId("options").addEventListener("click", () => chrome.runtime.openOptionsPage());
byId("pair").addEventListener("click", () => chrome.runtime.openOptionsPage());
byId("site-on").addEventListener("change", ({ target }) => (target.checked ? turnOn() : switchOff(site).then(show)));
byId("site-learn").addEventListener("change", ({ target }) => learn(target.checked));
byId("find").addEventListener("click", find);
placed("gate-here", gateForm(await settingsHere()), new Switch(helping).form());
chrome.storage.onChanged.addListener(show);
show();
showServer();

/** The tab that the popup is about: the one it was opened over, or one that is named. */
async function currentTab() {
  return named.has("tab") ? chrome.tabs.get(Number(named.get("tab"))) : (await chrome.tabs.query({ active: true, currentWindow: true }))[0];
}

/** Switch help on here. The browser asks the person whether the extension may be on this site. */
async function turnOn() {
  const may = await chrome.permissions.request({ origins: [`${new URL(tab.url).protocol}//${site}/*`] });
  if (may) await switchOn(site, tab.id);
  show();
}

/** To learn here is to learn at all. */
async function learn(wanted) {
  if (wanted) await keep({ manners: { ...(await state()).manners, learn: true } });
  await learnFrom(site, wanted);
}

async function show() {
  const { sites, manners } = await state();
  const reason = site ? refusedSite(site) : "Open a page of a web site to switch help on there.";
  byId("site-refused").textContent = reason ?? "";
  byId("site-refused").hidden = reason === null;
  byId("site").hidden = reason !== null;
  byId("site-name").textContent = site;
  byId("site-on").checked = site in sites;
  byId("site-learn").checked = sites[site]?.learn === true && manners.learn;
  byId("site-learn").disabled = !(site in sites);
  byId("find").disabled = !(site in sites) || reason !== null;
}

async function showServer() {
  try {
    byId("server").textContent = spoken(await ask("/v1/rungs"));
  } catch (error) {
    byId("server").textContent = error.code === "not_paired" ? "This extension is not paired with the server on this machine." : error.message;
    byId("unpaired").hidden = error.code !== "not_paired";
  }
}

async function find() {
  const status = byId("replies-status");
  status.textContent = "Looking …";
  byId("replies").replaceChildren();
  try {
    const said = await chrome.tabs.sendMessage(tab.id, { kind: "thread" });
    const context = contextOf(said?.value?.posts);
    if (context === null) throw new Error("There is no thread on this page.");
    const { replies, notice } = await ask("/v1/reply", { context, k: MOST });
    status.textContent = [replies.length ? `${replies.length} found.` : "None to suggest: nothing is near enough.", notice].filter(Boolean).join(" ");
    byId("replies").append(...replies.map((reply) => replyItem(reply, notice || !said.value.canInsert ? null : insert)));
  } catch (error) {
    status.textContent = /Receiving end|Could not establish/u.test(error.message) ? "Reload the page first: help was switched on after it was opened." : error.message;
  }
}

const insert = (text) => chrome.tabs.sendMessage(tab.id, { kind: "insert", text });
