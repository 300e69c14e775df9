/** The settings: the server and the pairing with it, the manners, the sites. */

import { begin, claim } from "../pairing.js";
import { ask, helping } from "../server.js";
import { spoken } from "../typing/spoken.js";
import { learnFrom, switchOff } from "../sites.js";
import { SERVER, keep, serverAt, settingsHere, state } from "../state.js";
import { byId, make } from "../typing/elements.js";
import { gateForm, learningForm, mannersForms, placed } from "../typing/mannersform.js";
import { Switch } from "../typing/switch.js";

const LOOK_AGAIN = 1_000; // milliseconds

const kept = await state();
const settings = await settingsHere();
placed("gate-here", gateForm(settings), new Switch(helping).form());
placed("learning-here", learningForm(settings, "learn from the sentences I finish, on the sites where I switch that on"));
placed("manners-here", ...mannersForms(settings).map((part) => Object.assign(part, { open: true })));
byId("server").value = kept.server;
byId("address").addEventListener("submit", move);
byId("pair").addEventListener("click", pair);
byId("unpair").addEventListener("click", async () => {
  await keep({ token: "" });
  showServer();
});
chrome.storage.onChanged.addListener((changes) => changes.sites && showSites());
showServer();
showSites();

let asking = 0; // which code is shown

/** Ask for a code, show it, and wait for somebody to confirm it. */
async function pair() {
  const mine = ++asking;
  try {
    const { secret, code, seconds } = await begin();
    const { server } = await state();
    byId("code").textContent = code;
    byId("command").textContent = `rejoinder pair ${code}`;
    byId("page").href = `${server}/#pairings`;
    byId("showing").hidden = false;
    byId("status").textContent = "Waiting for the code to be confirmed …";
    const ends = Date.now() + 1_000 * seconds;
    while (mine === asking && Date.now() < ends && !(await claim(secret))) await new Promise((done) => setTimeout(done, LOOK_AGAIN));
    if (mine !== asking) return;
    byId("showing").hidden = true;
    await showServer();
  } catch (error) {
    if (mine !== asking) return;
    byId("showing").hidden = true;
    byId("status").textContent = error.message;
  }
}

async function move(event) {
  event.preventDefault();
  const server = serverAt(byId("server").value.trim());
  if (server === null) {
    byId("status").textContent = `That is no address of this machine; the usual one is ${SERVER}`;
    return;
  }
  byId("server").value = server;
  await keep({ server });
  showServer();
}

async function showServer() {
  const { token } = await state();
  byId("unpair").hidden = !token;
  byId("pair").textContent = token ? "Pair again" : "Pair";
  try {
    byId("status").textContent = `Paired. ${spoken(await ask("/v1/rungs"))}`;
  } catch (error) {
    byId("status").textContent = error.code === "not_paired" ? "Not paired yet." : error.message;
  }
}

async function showSites() {
  const { sites } = await state();
  const rows = Object.entries(sites).map(([site, { learn }]) => {
    const learning = make("input", { type: "checkbox", checked: learn === true });
    learning.addEventListener("change", () => learnFrom(site, learning.checked));
    const off = make("button", { type: "button", ariaLabel: `Switch off on ${site}` }, "Switch off");
    off.addEventListener("click", () => switchOff(site));
    return make("li", {}, make("span", {}, site), make("label", {}, learning, " learn"), off);
  });
  byId("sites").replaceChildren(...(rows.length ? rows : [make("li", {}, "None yet.")]));
}
