/** Learning from what one writes: switched on by the writer, shown, searched, saved to a file, erased. */

import * as api from "./api.js";
import { copied } from "./copy.js";
import { byId, make } from "./typing/elements.js";
import { Learning } from "./typing/learning.js";

const SHOWN = 200; // posts of one's own that are listed

/**
 * @param {Settings} settings
 * @param {Composer} composer where one writes
 * @param {Switch} everywhere whether there is help at all
 */
export function showOwn(settings, composer, everywhere) {
  const field = byId("draft");
  const learning = new Learning((text) => api.addOwn(text).then(refresh, say));
  const learns = () => settings.manners.learn && everywhere.isOn;
  const finished = () => learns() && learning.ended(composer.text);
  let wanted = settings.manners.learn;
  learning.began(composer.text);
  field.addEventListener("paste", ({ clipboardData }) => learning.pasted(clipboardData?.getData("text/plain") ?? ""));
  field.addEventListener("replaced", () => learning.began(composer.text));
  field.addEventListener("blur", finished);
  byId("copy-draft").addEventListener("click", () => learns() && learning.sent(composer.text));
  addEventListener("pagehide", finished);
  settings.addEventListener("change", () => {
    if (settings.manners.learn && !wanted) learning.began(composer.text); // what was written before this was switched on is left alone
    wanted = settings.manners.learn;
  });
  byId("own").addEventListener("toggle", () => byId("own").open && refresh());
  byId("own-find").addEventListener("input", () => list(texts));
  byId("own-copy").addEventListener("click", () => copied(byId("own-copy"), texts.join("\n\n")));
  byId("own-save").addEventListener("click", () => save(texts.join("\n\n")));
  byId("own-erase").addEventListener("click", () => erase());

  let texts = [];

  async function refresh() {
    if (!byId("own").open) return;
    try {
      show((await api.own()).text);
    } catch (error) {
      say(error);
    }
  }

  async function erase() {
    if (!confirm("Erase all text of your own that typing help has learned from? It is gone for good.")) return;
    try {
      show((await api.eraseOwn()).text);
    } catch (error) {
      say(error);
    }
  }

  function show(text) {
    texts = text.trim() ? text.trim().split(/\n\s*\n/u) : [];
    const words = text.split(/\s+/u).filter(Boolean).length;
    byId("own-status").textContent = texts.length ? `${words.toLocaleString("en")} words are remembered.` : "Nothing is remembered.";
    for (const name of ["own-find", "own-copy", "own-save", "own-erase"]) byId(name).disabled = !texts.length;
    if (!texts.length) byId("own-find").value = "";
    list(texts);
  }

  const say = (error) => (byId("own-status").textContent = error.message);
}

function list(texts) {
  const wanted = byId("own-find").value.trim().toLowerCase();
  const found = texts.filter((text) => text.toLowerCase().includes(wanted)).toReversed();
  byId("own-list").replaceChildren(...found.slice(0, SHOWN).map((text) => make("li", {}, text)));
  if (wanted) byId("own-status").textContent = `${found.length} of ${texts.length} hold that.`;
}

function save(text) {
  const address = URL.createObjectURL(new Blob([`${text}\n`], { type: "text/plain" }));
  make("a", { href: address, download: "rejoinder-own-text.txt" }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}
