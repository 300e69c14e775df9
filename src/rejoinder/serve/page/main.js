/** The page: joins the thread's side to the composer's. */

import * as api from "./api.js";
import { Composer } from "./composer.js";
import { byId, make } from "./elements.js";
import { Inside } from "./inside.js";
import { showLadder } from "./ladder.js";
import { Replies } from "./replies.js";
import { Settings } from "./settings.js";
import { ThreadPane } from "./thread.js";

const settings = new Settings();
let context = null; // what is answered, as the server wants it said

const QUICK = 80; // milliseconds for an answer while somebody types
const PATIENT = 1000; // and when the writer waits

function suggest(draft, patient) {
  return api.suggest({ draft, context, gate: settings.gate, blocked: settings.blocked, deadline_ms: patient ? PATIENT : QUICK });
}

const composer = new Composer(settings, suggest);
const replies = new Replies(composer, () => context, tell);
const inside = new Inside(composer);

function answer(chosen, title, notice) {
  context = chosen;
  tell(notice);
  byId("answering").replaceChildren("Answers ", make("strong", {}, title));
  replies.clear();
  composer.refresh();
}

new ThreadPane(answer, () => byId("draft").focus());
showLadder();
showSpeaks();
showSettings();
byId("draft").addEventListener("input", () => inside.soon());
settings.addEventListener("change", () => {
  showSettings();
  composer.refresh();
});

for (const choice of document.querySelectorAll("#gate input")) {
  choice.addEventListener("change", () => (settings.gate = choice.value));
}
byId("blocked").querySelector("form").addEventListener("submit", (event) => {
  event.preventDefault();
  settings.block(byId("block").value);
  byId("block").value = "";
});

/** Say which archive replies come from, and which model speaks and why. */
async function showSpeaks() {
  try {
    const { forum, speaks } = await api.rungs();
    byId("speaks").textContent = `Replies from ${forum}. ${capital(speaks.reason.replaceAll("`", ""))}.`;
  } catch {
    byId("speaks").textContent = ""; // whoever types is told soon enough that the server is gone
  }
}

const capital = (sentence) => sentence.charAt(0).toUpperCase() + sentence.slice(1);

/** Say, once and where it is seen, what the forum asks of people who write there. */
function tell(notice) {
  byId("notice").textContent = notice;
  byId("notice").hidden = !notice;
}

function showSettings() {
  for (const choice of document.querySelectorAll("#gate input")) choice.checked = choice.value === settings.gate;
  const words = settings.blocked;
  byId("blocked-count").textContent = words.length ? `(${words.length})` : "";
  byId("blocked-words").replaceChildren(...words.map(chip));
}

function chip(word) {
  const allow = make("button", { type: "button", ariaLabel: `Allow ${word} again` }, "×");
  allow.addEventListener("click", () => settings.allow(word));
  return make("li", {}, word, allow);
}
