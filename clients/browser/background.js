/** The part that runs by itself: it alone asks the server, and it answers scripts only on sites that are switched on. */

import { contextOf } from "./contextof.js";
import { refusedSite } from "./refused.js";
import { ask, helping } from "./server.js";
import { register } from "./sites.js";
import { keep, siteOf, state } from "./state.js";

const QUICK = 80; // milliseconds for an answer while somebody types
const PATIENT = 1000; // and when the writer waits
const MOST = 100_000; // characters of a text that the server takes

chrome.runtime.onInstalled.addListener(() => register());
chrome.runtime.onStartup.addListener(() => register());
chrome.storage.local.setAccessLevel?.({ accessLevel: "TRUSTED_CONTEXTS" }); // scripts in pages cannot read the token
chrome.storage.onChanged.addListener((changes) => {
  if (changes.off) mark(changes.off.newValue ? "off" : "");
  tellPages();
});
chrome.commands?.onCommand.addListener(async (name) => {
  if (name !== "switch") return;
  await helping().then(({ on }) => helping(!on)).catch(() => mark("!"));
});

chrome.runtime.onMessage.addListener((message, sender, answer) => {
  if (sender.id !== chrome.runtime.id || typeof KINDS[message?.kind] !== "function") return false;
  handle(message, sender).then((value) => answer({ value }), (error) => answer({ error: error.message, code: error.code }));
  return true; // the answer comes later
});

async function handle(message, sender) {
  const site = siteOf(sender.url ?? "") || siteOf(sender.origin ?? "") || siteOf(sender.tab?.url ?? "");
  const { sites, manners, off } = await state();
  if (!(site in sites) || refusedSite(site) !== null) throw new Error("this site is not switched on");
  return KINDS[message.kind](message, { learn: sites[site].learn === true && manners.learn && !off, manners, off });
}

/** What a script in a page may ask. */
const KINDS = {
  state: (_, { learn, manners, off }) => ({ manners, learn, off }),

  async suggest({ draft, after, patient, context, session, sequence }, { manners, off }) {
    const { gate, blocked } = manners;
    if (gate === "off") return null;
    const body = { draft: String(draft).slice(-MOST), after: String(after).slice(0, MOST), context: contextOf(context), gate, blocked, session: String(session).slice(0, 100), sequence: Number(sequence) };
    try {
      const said = await ask("/v1/suggest", { ...body, deadline_ms: patient ? PATIENT : QUICK });
      if ((said.off === true) !== off) await keep({ off: said.off === true });
      mark(said.off ? "off" : "");
      const { ghost, space, words, rung, probability, cut, silent, superseded } = said;
      return superseded ? null : { ghost, space, words, rung, probability, cut, silent };
    } catch (error) {
      mark("!");
      if (error.code === "503") return null;
      throw error;
    }
  },

  async keep({ text }, { learn }) {
    if (learn) await ask("/v1/own", { text: String(text).slice(0, MOST) });
    return null;
  },
};

function mark(sign) {
  chrome.action.setBadgeText({ text: sign }).catch(() => {});
}

/** Scripts in pages are told that something was changed; those of sites that were switched off fall silent. */
async function tellPages() {
  for (const { id } of await chrome.tabs.query({})) chrome.tabs.sendMessage(id, { kind: "changed" }).catch(() => {});
}
