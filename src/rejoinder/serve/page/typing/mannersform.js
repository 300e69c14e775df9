/** The form of the manners, for every page where they are chosen: how much help, which keys, which words, whether one learns. */

import { byId, make } from "./elements.js";
import { nameOfKey, pressed, readable } from "./keys.js";
import { GATES, LONGEST } from "./manners.js";

const SAID = { all: "take all", word: "take a word", hush: "dismiss", first: "take the first word", second: "take the second word", third: "take the third word" };

/** How much help: one touch. */
export function gateForm(settings) {
  const choices = GATES.map((gate) => make("input", { type: "radio", name: "gate", value: gate }));
  for (const choice of choices) choice.addEventListener("change", () => settings.set({ gate: choice.value }));
  follow(settings, ({ gate }) => choices.forEach((choice) => (choice.checked = choice.value === gate)));
  const labels = choices.map((choice) => make("label", {}, choice, make("span", {}, choice.value)));
  return make("fieldset", { id: "gate", className: "gate" }, make("legend", {}, "Help while typing"), ...labels);
}

/** Everything else that may be chosen, each kind folded away: length and keys, words never suggested, words as one writes them. */
export function mannersForms(settings) {
  const blocked = { id: "blocked", input: "block", title: "Words never suggested", hint: "", name: "A word never to suggest", example: "a word", add: "Block", undo: (word) => `Allow ${word} again` };
  const preferred = { id: "preferred", input: "prefer", title: "Words as you write them", hint: "Suggested with these capitals, and first.", name: "A word as you write it", example: "GitHub", add: "Add", undo: (word) => `Drop ${word}` };
  return [habits(settings), words(settings, blocked, (word) => settings.block(word)), words(settings, preferred, (word) => settings.prefer(word))];
}

/** Whether one learns from what is written. */
export function learningForm(settings, said) {
  const box = make("input", { type: "checkbox", id: "learn" });
  box.addEventListener("change", () => settings.set({ learn: box.checked }));
  follow(settings, ({ learn }) => (box.checked = learn));
  return make("p", {}, make("label", {}, box, ` ${said}`));
}

/** Put what a form is made of in the place of the element of that id. */
export const placed = (id, ...made) => byId(id).replaceWith(...made);

/** Have what is drawn agree with the manners, now and whenever they change. */
function follow(settings, draw) {
  settings.addEventListener("change", () => draw(settings.manners));
  draw(settings.manners);
}

function habits(settings) {
  const longest = make("select", { id: "longest" }, ...Array.from({ length: LONGEST }, (_, place) => make("option", {}, String(place + 1))));
  const word = make("input", { type: "checkbox", id: "tab-word" });
  const space = make("input", { type: "checkbox", id: "space-after" });
  const strip = make("input", { type: "checkbox", id: "strip-shown" });
  longest.addEventListener("change", () => settings.set({ longest: Number(longest.value) }));
  word.addEventListener("change", () => settings.set({ tab: word.checked ? "word" : "all" }));
  space.addEventListener("change", () => settings.set({ space: space.checked }));
  strip.addEventListener("change", () => settings.set({ strip: strip.checked }));
  follow(settings, (manners) => {
    longest.value = String(manners.longest);
    word.checked = manners.tab === "word";
    space.checked = manners.space;
    strip.checked = manners.strip;
  });
  return make(
    "details",
    { id: "manners" },
    make("summary", {}, "How it helps: length and keys"),
    make("p", { className: "row" }, make("label", { htmlFor: "longest" }, "Words of a suggestion, at most"), longest),
    make("p", {}, make("label", {}, word, " one word at a time: the key that takes all takes a word, and all when it is pressed twice")),
    make("p", {}, make("label", {}, space, " the space after it as well, where one is sure to follow")),
    make("p", {}, make("label", {}, strip, " three words to choose from")),
    make("p", { id: "key-hint", className: "hint" }, "To change a key, choose it and press another."),
    make("ul", { id: "key-list", className: "pairs" }, ...Object.keys(SAID).map((action) => keyRow(settings, action))),
  );
}

/** A list of words to which some are added, and from which each is taken off by itself. */
function words(settings, { id, input, title, hint, name, example, add, undo }, added) {
  const count = make("span", { id: `${id}-count`, className: "count" });
  const field = make("input", { id: input, type: "text", autocomplete: "off", spellcheck: false, maxLength: 60, placeholder: example, required: true });
  const form = make("form", { className: "row" }, make("label", { htmlFor: input, className: "unseen" }, name), field, make("button", { type: "submit" }, add));
  const list = make("ul", { id: `${id}-words`, className: "chips" });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    added(field.value);
    field.value = "";
  });
  follow(settings, ({ [id]: kept }) => {
    count.textContent = kept.length ? `(${kept.length})` : "";
    list.replaceChildren(...kept.map((word) => chip(settings, id, word, undo(word))));
  });
  return make("details", { id }, make("summary", {}, `${title} `, count), hint ? make("p", { className: "hint" }, hint) : null, form, list);
}

function chip(settings, list, word, undo) {
  const drop = make("button", { type: "button", ariaLabel: undo }, "×");
  drop.addEventListener("click", () => settings.drop(list, word));
  return make("li", {}, word, drop);
}

/** A key that is changed by pressing another one on its button; Escape leaves it as it is. */
function keyRow(settings, action) {
  const button = make("button", { type: "button" });
  button.setAttribute("aria-describedby", "key-hint");
  let waiting = false;
  const show = () => {
    waiting = false;
    button.textContent = readable(settings.manners.keys[action]);
    button.ariaLabel = `${button.textContent}: the key to ${SAID[action]}; change it`;
  };
  button.addEventListener("click", () => {
    waiting = true;
    button.textContent = button.ariaLabel = "press a key …";
  });
  button.addEventListener("blur", show);
  button.addEventListener("keydown", (event) => {
    if (!waiting) return;
    const name = nameOfKey(pressed(event));
    if (pressed(event)) event.preventDefault();
    if (name === null) return;
    waiting = false;
    settings.set({ keys: { ...settings.manners.keys, [action]: name } });
  });
  follow(settings, show);
  return make("li", {}, make("span", {}, SAID[action]), button);
}
