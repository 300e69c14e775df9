/** The page: joins the thread's side to the composer's. */

import * as api from "./api.js";
import { Composer } from "./composer.js";
import { Drafts } from "./drafts.js";
import { Inside } from "./inside.js";
import { showLadder } from "./ladder.js";
import { showOwn } from "./own.js";
import { showPairings } from "./pairing.js";
import { Replies } from "./replies.js";
import { keep, kept } from "./storage.js";
import { ThreadPane } from "./thread.js";
import { byId, make } from "./typing/elements.js";
import { gateForm, learningForm, mannersForms, placed } from "./typing/mannersform.js";
import { Settings } from "./typing/settings.js";
import { spoken } from "./typing/spoken.js";
import { Switch } from "./typing/switch.js";

const SETTINGS = "rejoinder.settings";
const settings = new Settings(kept(SETTINGS), (manners) => keep(SETTINGS, manners));
let context = null; // what is answered, as the server wants it said

const QUICK = 80; // milliseconds for an answer while somebody types
const PATIENT = 1000; // and when the writer waits
const LONGEST = 100_000; // characters of a draft that the server takes; it reads the last 16,384
const STEP = 50_000; // by which the beginning of a longer one moves on, so that what was read of it is of use for a while

function suggest(draft, after, patient) {
  const { gate, blocked } = settings.manners;
  const begin = draft.length > LONGEST ? Math.ceil((draft.length - LONGEST) / STEP) * STEP : 0;
  return api.suggest({ draft: draft.slice(begin), after: after.slice(0, LONGEST), context, gate, blocked, deadline_ms: patient ? PATIENT : QUICK }).then(heard);
}

/** An answer may tell that help was switched off elsewhere. */
function heard(said) {
  if (said !== null) everywhere.heard(said.off !== true);
  return said;
}

const everywhere = new Switch(api.helping);
placed("gate-here", gateForm(settings), everywhere.form());
placed("manners-here", ...mannersForms(settings));
placed("learning-here", learningForm(settings, "learn from the sentences I finish here"));
addEventListener("visibilitychange", () => document.hidden || everywhere.look());

const composer = new Composer(settings, suggest);
const thread = new ThreadPane(answer, () => byId("draft").focus());
const replies = new Replies(composer, () => context, { tell, look: (post) => thread.look(post) });
const inside = new Inside(composer);
const drafts = new Drafts(composer, (draft) => answering(draft.context, draft.title, ""));

showLadder();
showSpeaks();
showOwn(settings, composer, everywhere);
showPairings();
byId("draft").addEventListener("input", () => inside.soon());
for (const chosen of [settings, everywhere]) chosen.addEventListener("change", () => composer.refresh());

/** A post was chosen: its draft is taken up. */
function answer(chosen, title, notice) {
  drafts.answer(JSON.stringify(chosen).slice(0, 300), title, chosen);
  answering(chosen, title, notice);
}

function answering(chosen, title, notice) {
  context = chosen;
  tell(notice);
  byId("answering").replaceChildren(...(chosen === null ? ["Answers no post yet: find one under “The thread”, or just write."] : ["Answers ", make("strong", {}, title)]));
  replies.clear();
  composer.refresh();
}

/** Say which archive replies come from, and which model speaks and why. */
async function showSpeaks() {
  try {
    byId("speaks").textContent = spoken(await api.rungs());
  } catch {
    byId("speaks").textContent = ""; // whoever types is told soon enough that the server is gone
  }
}

/** Say, once and where it is seen, what the forum asks of people who write there. */
function tell(notice) {
  byId("notice").textContent = notice;
  byId("notice").hidden = !notice;
}
