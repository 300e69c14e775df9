/** In a page of a site that is switched on: finds the field somebody writes in, and helps there. */

import { refusedSite } from "../refused.js";
import { contextOf, describe } from "./context.js";
import { fieldOf, refusal } from "./fields.js";
import { Help } from "./help.js";
import { Overlay } from "./overlay.js";
import { PlainField } from "./plainfield.js";
import { RichField } from "./richfield.js";

const KNOWN = 3_000; // milliseconds for which what is answered is not looked up again

let now = null; // the manners, and whether one learns here; null while this site is not switched on
let help = null;
let last = null; // the field that was written in last
let context = { at: -Infinity, posts: [] };
const overlay = new Overlay((place) => help?.pick(place));

const page = {
  ask,
  manners: () => now.manners,
  learns: () => now?.learn === true,
  context() {
    if (performance.now() - context.at > KNOWN) context = { at: performance.now(), posts: contextOf(last) };
    return context.posts;
  },
};

async function ask(kind, more = {}) {
  const said = await chrome.runtime.sendMessage({ kind, ...more });
  if (said?.error) throw Object.assign(new Error(said.error), { code: said.code });
  return said?.value;
}

/** Learn whether help is wanted here. */
async function renew() {
  const before = JSON.stringify(now);
  try {
    now = refusedSite(location.hostname) === null ? await ask("state") : null;
  } catch {
    now = null; // the site is switched off, or the extension is gone
  }
  if (now === null) leave();
  else if (help === null) enter(focused());
  else if (JSON.stringify(now) !== before) help.refresh();
}

/** The element that has the focus, inside shadow roots too. */
function focused() {
  let found = document.activeElement;
  while (found?.shadowRoot?.activeElement) found = found.shadowRoot.activeElement;
  return found;
}

function enter(target) {
  const field = now === null ? null : fieldOf(target);
  if (field !== null && help?.element === field) return;
  leave();
  if (field === null || refusal(field) !== null) return;
  if (last !== field) context.at = -Infinity;
  last = field;
  help = new Help(field.isContentEditable ? new RichField(field) : new PlainField(field, overlay.mirror), overlay, page);
}

function leave() {
  help?.stop();
  help = null;
}

const isIn = (event) => help !== null && (event.composedPath()[0] === help.element || help.element.contains(event.composedPath()[0]));

addEventListener("focusin", (event) => enter(event.composedPath()[0]), true);
addEventListener("focusout", (event) => isIn(event) && !help.element.contains(event.relatedTarget) && leave(), true);
addEventListener("pagehide", leave);
addEventListener(
  "keydown",
  (event) => {
    if (!isIn(event) || !help.key(event)) return;
    event.preventDefault();
    event.stopImmediatePropagation(); // the page does nothing with it, such as sending
  },
  true,
);
addEventListener("keyup", (event) => isIn(event) && help.released(event) && event.stopImmediatePropagation(), true);
for (const moment of ["beforeinput", "input", "compositionstart", "compositionend", "paste"]) {
  addEventListener(moment, (event) => isIn(event) && help.told(event), true);
}
document.addEventListener("selectionchange", () => help?.look());
addEventListener("scroll", () => help?.moved(), { capture: true, passive: true });
addEventListener("resize", () => help?.moved(), { passive: true });
globalThis.visualViewport?.addEventListener("resize", () => help?.moved(), { passive: true });

chrome.runtime.onMessage.addListener((message, sender, answer) => {
  if (sender.id !== chrome.runtime.id) return false;
  if (message.kind === "changed") renew();
  if (message.kind === "thread" && now !== null && (last !== null || window === top)) answer({ value: { ...describe(last), canInsert: last?.isConnected === true } });
  if (message.kind === "insert" && now !== null && last?.isConnected) {
    enter(last);
    help?.insert(String(message.text));
    answer({ value: help !== null });
  }
  return false;
});
renew();
