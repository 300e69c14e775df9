/**
 * The composer: a native text field, so that caret, undo, spell check and input methods are the browser's own, and behind it a
 * mirror of the same text that draws the ghost at the caret.
 *
 * What is drawn follows from two things only: the field as it is, and the last answer with the draft it was given for. A ghost
 * is on screen only while every letter typed since agrees with it, so a stale one cannot be.
 */

import { Asking } from "./asking.js";
import { draftAt, firstWord, left, unfinished } from "./draft.js";
import { byId, percent, visible } from "./elements.js";
import { Voice } from "./voice.js";

const NOTHING = { draft: "", ghost: "", words: [], rung: "", probability: 0 };
const PAUSE = 250; // milliseconds after which a writer who waits is given the answer there was no time for
const IS_MAC = /Mac|iPhone|iPad/.test(navigator.platform);

export class Composer {
  #field = byId("draft");
  #before = byId("before").appendChild(document.createTextNode(""));
  #ghost = byId("ghost").appendChild(document.createTextNode(""));
  #after = byId("after").appendChild(document.createTextNode(""));
  #buttons = [...document.querySelectorAll("#strip .word")];
  #take = byId("take");
  #spoke = byId("spoke");
  #voice = new Voice(byId("voice"));
  #settings;
  #asking;
  #said = NOTHING; // the last answer, and of which draft
  #dismissed = null; // the draft at which the ghost was waved away
  #composing = false; // an input method is at work
  #looked = ""; // the field as it was when its draft was last asked about, or found to be none
  #later = 0; // the timer of a question that is put again
  #patient = false; // whether that question is on its way

  /**
   * @param {Settings} settings
   * @param {(draft: string, patient: boolean) => Promise<object>} suggest asks the server about a draft
   */
  constructor(settings, suggest) {
    this.#settings = settings;
    this.#asking = new Asking((draft) => suggest(draft, this.#patient), (draft, said) => this.#answered(draft, said));
    this.#listen();
    this.#looked = this.#signature();
    this.#draw();
  }

  /** The whole text of the field. */
  get text() {
    return this.#field.value;
  }

  /** The last answer. */
  get said() {
    return this.#said;
  }

  /** Put text in at the caret, as one step that undo takes back. */
  insert(text) {
    this.#field.focus();
    // the only way in that the browser's own undo knows; the other is for browsers without it
    if (document.execCommand("insertText", false, text)) return;
    this.#field.setRangeText(text, this.#field.selectionStart, this.#field.selectionEnd, "end");
    this.#field.dispatchEvent(new InputEvent("input", { inputType: "insertText", data: text, bubbles: true }));
  }

  /** Forget the last answer and ask again: the thread or the settings have changed. */
  refresh() {
    this.#said = NOTHING;
    this.#look();
  }

  #listen() {
    const field = this.#field;
    field.addEventListener("input", () => this.#look());
    field.addEventListener("keydown", (event) => this.#key(event));
    field.addEventListener("compositionstart", () => {
      this.#composing = true;
      this.#look();
    });
    field.addEventListener("compositionend", () => {
      this.#composing = false;
      this.#look();
    });
    document.addEventListener("selectionchange", () => {
      if (document.activeElement === field && this.#signature() !== this.#looked) this.#look();
    });
    for (const [place, button] of this.#buttons.entries()) {
      button.addEventListener("mousedown", (event) => event.preventDefault()); // the caret stays in the field
      button.addEventListener("click", () => this.#takeWord(place));
    }
    this.#take.addEventListener("mousedown", (event) => event.preventDefault());
    this.#take.addEventListener("click", () => this.#insertIfAny(this.#visible()));
    byId("word-key").textContent = IS_MAC ? "⌥ →" : "Ctrl →";
  }

  #signature() {
    const { value, selectionStart, selectionEnd } = this.#field;
    return `${selectionStart} ${selectionEnd} ${value}`;
  }

  /** The draft up to the caret, null where no help is wanted. */
  #draft() {
    if (this.#composing || this.#settings.isOff) return null;
    return draftAt(this.#field.value, this.#field.selectionStart, this.#field.selectionEnd);
  }

  /** The ghost that belongs at the caret now; "" for none. */
  #visible() {
    const draft = this.#draft();
    if (draft === null || draft === this.#dismissed) return "";
    const ghost = left(this.#said.draft, this.#said.ghost, draft);
    return draft.length === this.#field.value.length ? ghost : firstWord(ghost); // above other lines there is little room
  }

  /** The field has changed, or the caret has moved. */
  #look({ patient = false } = {}) {
    clearTimeout(this.#later);
    this.#patient = patient;
    this.#looked = this.#signature(); // here and not in #draw: an answer may be drawn between a caret's move and its event
    const draft = this.#draft();
    if (draft !== this.#dismissed) this.#dismissed = null;
    this.#draw();
    if (draft !== null) this.#asking.about(draft);
    else this.#asking.stop();
  }

  #answered(draft, said) {
    if (said?.error) {
      this.#spoke.textContent = said.error.message;
      return;
    }
    if (!said) return;
    this.#said = { ...said, draft };
    this.#draw();
    const unheard = said.cut && (!this.#patient || !said.rung); // no time for the best answer, or for any
    if (unheard && draft === this.#draft()) this.#later = setTimeout(() => this.#look({ patient: true }), PAUSE);
  }

  #draw() {
    const { value, selectionEnd } = this.#field;
    const ghost = this.#visible();
    change(this.#before, value.slice(0, selectionEnd));
    change(this.#ghost, visible(ghost));
    change(this.#after, `${value.slice(selectionEnd)}\u200b`); // gives a last empty line its height
    this.#ghost.parentNode.classList.toggle("inside", selectionEnd < value.length);
    this.#drawStrip(ghost);
    this.#voice.soon(ghost);
  }

  #drawStrip(ghost) {
    this.#take.disabled = ghost === "";
    const { draft, words, rung, probability } = this.#said;
    const silent = this.#draft() === null;
    for (const [place, button] of this.#buttons.entries()) {
      const word = silent ? undefined : words[place];
      button.disabled = word === undefined;
      button.textContent = word ? visible(wholeWord(draft, word.text)) : "";
      button.title = word ? `${percent(word.probability)} likely` : "";
    }
    this.#spoke.textContent = rung && !silent ? `${rung}: next word ${percent(probability)} likely` : "";
  }

  #takeWord(place) {
    const draft = this.#draft();
    const word = this.#said.words[place];
    if (word && draft !== null) this.#insertIfAny(left(this.#said.draft, word.text, draft));
  }

  #insertIfAny(text) {
    if (text) this.insert(text);
  }

  #key(event) {
    if (event.isComposing || this.#composing) return;
    const taken = this.#taken(event, this.#visible());
    if (taken === null) return;
    event.preventDefault();
    taken();
  }

  /** What a key does when it is ours, else null: the browser does what it always does. */
  #taken(event, ghost) {
    const { key, code, shiftKey, ctrlKey, altKey, metaKey } = event;
    const plain = !shiftKey && !ctrlKey && !altKey && !metaKey;
    const place = ["Digit1", "Digit2", "Digit3"].indexOf(code);
    if (place >= 0 && altKey && !ctrlKey && !metaKey && !shiftKey) return () => this.#takeWord(place);
    if (!ghost) return null;
    if (key === "Tab" && plain) return () => this.insert(ghost);
    if (key === "ArrowRight" && !shiftKey && !metaKey && (ctrlKey !== altKey) && (ctrlKey || IS_MAC)) {
      return () => this.insert(firstWord(ghost));
    }
    if (key === "Escape" && plain) {
      return () => {
        this.#dismissed = this.#draft();
        this.#draw();
      };
    }
    return null;
  }
}

/** Give a text node another text; where it is the same, nothing is drawn anew. */
function change(node, text) {
  if (node.data !== text) node.data = text;
}

/** A suggested word as it will stand in the draft: with the letters of it that are there already. */
function wholeWord(draft, text) {
  return /^\s/u.test(text) ? text.trim() : unfinished(draft) + text.trimEnd();
}
