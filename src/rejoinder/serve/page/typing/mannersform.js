/** The form of the manners: how much help, which keys, which words. */

import { byId, make } from "./elements.js";
import { nameOfKey, pressed, readable } from "./keys.js";

const SAID = { all: "take all", word: "take a word", hush: "dismiss", first: "take the first word", second: "take the second word", third: "take the third word" };

/** Show the manners in the form of the page, and change them as it is used. */
export function showManners(settings) {
  const show = () => draw(settings);
  for (const choice of document.querySelectorAll("#gate input")) choice.addEventListener("change", () => settings.set({ gate: choice.value }));
  byId("longest").addEventListener("change", ({ target }) => settings.set({ longest: Number(target.value) }));
  byId("tab-word").addEventListener("change", ({ target }) => settings.set({ tab: target.checked ? "word" : "all" }));
  byId("strip-shown").addEventListener("change", ({ target }) => settings.set({ strip: target.checked }));
  for (const [place, add] of [["block", (word) => settings.block(word)], ["prefer", (word) => settings.prefer(word)]]) {
    byId(place).form.addEventListener("submit", (event) => {
      event.preventDefault();
      add(byId(place).value);
      byId(place).value = "";
    });
  }
  byId("key-list").replaceChildren(...Object.keys(SAID).map((action) => keyRow(settings, action)));
  settings.addEventListener("change", show);
  show();
}

function draw(settings) {
  const { gate, longest, tab, strip, learn, keys, blocked, preferred } = settings.manners;
  for (const choice of document.querySelectorAll("#gate input")) choice.checked = choice.value === gate;
  byId("longest").value = String(longest);
  byId("tab-word").checked = tab === "word";
  byId("strip-shown").checked = strip;
  byId("learn").checked = learn;
  for (const button of document.querySelectorAll("#key-list button")) showKey(button, keys);
  for (const [name, list, undo] of [["blocked", blocked, "Allow"], ["preferred", preferred, "Drop"]]) {
    byId(`${name}-count`).textContent = list.length ? `(${list.length})` : "";
    byId(`${name}-words`).replaceChildren(...list.map((word) => chip(settings, name, word, undo)));
  }
}

function chip(settings, list, word, undo) {
  const drop = make("button", { type: "button", ariaLabel: `${undo} ${word}${undo === "Allow" ? " again" : ""}` }, "×");
  drop.addEventListener("click", () => settings.drop(list, word));
  return make("li", {}, word, drop);
}

/** A key that is changed by pressing another one on its button; Escape leaves it as it is. */
function keyRow(settings, action) {
  const button = make("button", { type: "button" });
  button.dataset.action = action;
  button.setAttribute("aria-describedby", "key-hint");
  let waiting = false;
  const end = () => {
    waiting = false;
    showKey(button, settings.manners.keys);
  };
  button.addEventListener("click", () => {
    waiting = true;
    button.textContent = button.ariaLabel = "press a key …";
  });
  button.addEventListener("blur", end);
  button.addEventListener("keydown", (event) => {
    if (!waiting) return;
    const name = nameOfKey(pressed(event));
    if (pressed(event)) event.preventDefault();
    if (name === null) return;
    settings.set({ keys: { ...settings.manners.keys, [action]: name } });
    end();
  });
  return make("li", {}, make("span", {}, SAID[action]), button);
}

function showKey(button, keys) {
  const { action } = button.dataset;
  button.textContent = readable(keys[action]);
  button.ariaLabel = `${button.textContent}: the key to ${SAID[action]}; change it`;
}
