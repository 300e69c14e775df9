/**
 * The composer: a native text field, so that caret, undo, spell check and input methods are the browser's own, and behind it a
 * mirror of the same text that draws the ghost at the caret. What is drawn there is for `Ghost` to say.
 */

import { copied } from "./copy.js";
import { atCaret } from "./typing/draft.js";
import { byId, likely, percent, visible } from "./typing/elements.js";
import { Ghost } from "./typing/ghost.js";
import { actionOf, readable } from "./typing/keys.js";
import { Voice } from "./typing/voice.js";

const READ = 16_384; // characters of a draft that the models read, its end
const LATIN = /^[\p{Script=Latin}\p{M}\p{N}'’-]+$/u;
const ACTIONS = ["first", "second", "third"]; // of the strip, from the left

export class Composer {
  #field = byId("draft");
  #before = byId("before").appendChild(document.createTextNode(""));
  #shown = byId("ghost").appendChild(document.createTextNode(""));
  #after = byId("after").appendChild(document.createTextNode(""));
  #buttons = [...document.querySelectorAll("#strip .word")];
  #take = byId("take");
  #spoke = byId("spoke");
  #voice = new Voice(byId("voice"));
  #settings;
  #ghost;
  #composed = null; // what an input method has in hand; null while none is at work
  #looked = ""; // the field as it was when it was last looked at
  #trouble = "";

  /**
   * @param {Settings} settings
   * @param {(draft: string, after: string, patient: boolean) => Promise<object>} suggest asks the server about a draft
   */
  constructor(settings, suggest) {
    this.#settings = settings;
    this.#ghost = new Ghost(suggest, (error) => this.#changed(error), () => settings.manners);
    this.#listen();
    this.#looked = this.#signature();
    this.#draw();
  }

  /** The whole text of the field. */
  get text() {
    return this.#field.value;
  }

  /** Another text, which is another draft: what was done before is not undone here. */
  set text(text) {
    this.#field.value = text;
    this.#field.dispatchEvent(new Event("replaced")); // by what was not typed now
    this.#look();
  }

  /** Put text in at the caret, as one step that undo takes back. */
  insert(text) {
    this.#field.focus();
    if (!text) return;
    // the only way in that the browser's own undo knows; the other is for browsers without it
    if (document.execCommand("insertText", false, text)) return;
    this.#field.setRangeText(text, this.#field.selectionStart, this.#field.selectionEnd, "end");
    this.#field.dispatchEvent(new InputEvent("input", { inputType: "insertText", data: text, bubbles: true }));
  }

  /** Forget the last answer and ask again: the thread or the settings have changed. */
  refresh() {
    this.#showKeys();
    this.#ghost.refresh();
  }

  #listen() {
    const field = this.#field;
    field.addEventListener("input", ({ inputType }) => this.#look(/^(?:delete|history)/.test(inputType ?? "") ? "deleted" : "typed"));
    field.addEventListener("keydown", (event) => this.#key(event));
    for (const moment of ["compositionstart", "compositionupdate"]) {
      field.addEventListener(moment, ({ data }) => {
        this.#composed = data ?? "";
        this.#look();
      });
    }
    field.addEventListener("compositionend", () => {
      this.#composed = null;
      this.#look("typed");
    });
    document.addEventListener("selectionchange", () => {
      if (document.activeElement === field && this.#signature() !== this.#looked) this.#look();
    });
    for (const [place, button] of this.#buttons.entries()) {
      button.addEventListener("mousedown", (event) => event.preventDefault()); // the caret stays in the field
      button.addEventListener("click", () => this.#act(ACTIONS[place]));
    }
    this.#take.addEventListener("mousedown", (event) => event.preventDefault());
    this.#take.addEventListener("click", () => this.#act("whole"));
    byId("copy-draft").addEventListener("click", () => copied(byId("copy-draft"), field.value));
    byId("try-draft").addEventListener("click", () => this.insert(byId("try-draft").textContent));
    this.#showKeys();
  }

  #signature() {
    const { value, selectionStart, selectionEnd } = this.#field;
    return `${selectionStart} ${selectionEnd} ${value}`;
  }

  /** Whether help is wanted: while words are composed only a keyboard of a phone that composes Latin ones wants some. */
  #isWanted() {
    return this.#composed === null || (matchMedia("(pointer: coarse)").matches && LATIN.test(this.#composed));
  }

  /** The field has changed, or the caret has moved. */
  #look(how = "moved") {
    this.#looked = this.#signature(); // here and not in #draw: an answer may be drawn between a caret's move and its event
    const { value, selectionStart, selectionEnd } = this.#field;
    const { draft, after, atEnd } = atCaret(value, selectionStart, selectionEnd);
    this.#ghost.look(this.#isWanted() ? draft : null, { after, atEnd, how, composing: this.#composed !== null });
  }

  #changed(error) {
    this.#trouble = error?.message ?? "";
    this.#draw();
  }

  #draw() {
    const { value, selectionEnd } = this.#field;
    const ghost = this.#ghost.text;
    change(this.#before, value.slice(0, selectionEnd));
    change(this.#shown, visible(ghost));
    change(this.#after, `${value.slice(selectionEnd)}\u200b`); // gives a last empty line its height
    byId("ghost").dataset.closers = visible(this.#ghost.closers);
    byId("ghost").classList.toggle("inside", value.indexOf("\n", selectionEnd) >= 0);
    byId("try").hidden = value !== "";
    byId("copy-draft").disabled = value === "";
    byId("long").hidden = value.length <= READ;
    this.#drawStrip(ghost);
    this.#voice.soon(ghost);
  }

  #drawStrip(ghost) {
    this.#take.disabled = ghost === "";
    const words = this.#settings.manners.strip ? this.#ghost.words : [];
    for (const [place, button] of this.#buttons.entries()) {
      const word = words[place];
      button.disabled = word === undefined;
      button.ariaHidden = word === undefined ? "true" : null; // a frame that holds its place, and no button without a word
      button.textContent = word ? visible(word.shown) : "";
      button.title = word ? `${percent(word.probability)} likely` : "";
    }
    const { rung, probability } = this.#ghost.said;
    const sure = words.length || ghost ? `Next word: ${likely(probability).toLowerCase()} (${percent(probability)}, says ${rung})` : "";
    this.#spoke.textContent = this.#trouble || (rung ? sure : "");
  }

  #showKeys() {
    const { keys } = this.#settings.manners;
    for (const place of document.querySelectorAll("kbd[data-action]")) place.textContent = readable(keys[place.dataset.action]);
    for (const [place, button] of this.#buttons.entries()) button.setAttribute("aria-keyshortcuts", keys[ACTIONS[place]]);
  }

  #key(event) {
    if (event.isComposing || this.#composed !== null) return;
    const action = actionOf(event, this.#settings.manners.keys);
    if (action === null) {
      this.#afterSpace(event);
      return;
    }
    const done = action === "hush" ? this.#ghost.hush() : this.#act(action, event.timeStamp);
    if (done || this.#ghost.isLate(action, event.timeStamp)) event.preventDefault();
  }

  /** A key after a space that was put in with what was taken. */
  #afterSpace(event) {
    const does = this.#ghost.spacing.does(event);
    if (does === "again") event.preventDefault();
    if (does === "instead") this.#field.setSelectionRange(this.#field.selectionStart - 1, this.#field.selectionEnd); // and is typed over it
  }

  /** Put in what an action stands for; whether there was anything. */
  #act(action, time = performance.now()) {
    const text = visible(this.#ghost.take(action, time));
    if (!text) return false;
    if (this.#composed !== null) this.#field.blur(); // what the keyboard has in hand is written first
    this.insert(text);
    return true;
  }
}

/** Give a text node another text; where it is the same, nothing is drawn anew. */
function change(node, text) {
  if (node.data !== text) node.data = text;
}
