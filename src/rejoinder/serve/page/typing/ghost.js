/**
 * The ghost at the caret, wherever one writes: on our page, and in the fields of others.
 *
 * What is on screen follows from the field as it is, the last answer with the draft it was given for, and the manners. A ghost is
 * there only while every letter typed since agrees with it, so a stale one cannot be. Nothing is said while one deletes; what was
 * typed over or waved away is not said again of the same text.
 */

import { Asking } from "./asking.js";
import { firstWord, firstWords, left, wholeWord } from "./draft.js";
import { preferring } from "./glossary.js";
import { LONGEST } from "./manners.js";
import { Spacing } from "./spacing.js";

const NOTHING = { draft: "", ghost: "", space: false, words: [], rung: "", probability: 0 };
const NOWHERE = { draft: null, after: "", atEnd: true, composing: false };
const PAUSE = 250; // milliseconds after which a writer who waits is given the answer there was no time for
const TWICE = 400; // milliseconds within which a key is pressed twice
const LATE = 300; // milliseconds in which a key may still be meant for a ghost that an answer has taken away
const REMEMBERED = 200; // suggestions that were wrong
const NEAR = 400; // characters of the draft by which they are known again

export class Ghost {
  spacing = new Spacing(); // the space put in with what was taken last
  #asking;
  #changed;
  #manners;
  #said = NOTHING; // the last answer, and of which draft
  #seen = NOWHERE;
  #quiet = false; // something was deleted, and nothing typed since
  #wrong = new Remembered(); // texts with the word that was suggested, and was not what the writer meant
  #hushed = new Remembered(); // drafts at which a ghost was waved away
  #later = 0; // the timer of a question that is put again
  #patient = false; // whether that question is on its way
  #tookAt = -Infinity; // when something was last taken, milliseconds
  #goneAt = -Infinity; // when an answer last took a ghost away

  /**
   * @param {(draft: string, after: string, patient: boolean) => Promise<object | null>} ask asks the server about a draft, and what closes its line
   * @param {(error: Error | null) => void} changed told when what is to be drawn may have changed, and what went wrong
   * @param {() => object} manners the manners that hold now
   */
  constructor(ask, changed, manners) {
    this.#changed = changed;
    this.#manners = manners;
    this.#asking = new Asking((draft) => ask(draft, this.#seen.after, this.#patient), (draft, said) => this.#answered(draft, said));
  }

  /**
   * The field has changed, or the caret has moved.
   *
   * @param {string | null} draft what stands before the caret; null where no help is wanted
   * @param {{after?: string, atEnd?: boolean, how?: "typed" | "deleted" | "moved", composing?: boolean}} more what closes the line
   *   after the caret; whether nothing else follows; what happened; whether a keyboard is composing a word, so that nothing is
   *   drawn at the caret
   */
  look(draft, { after = "", atEnd = true, how = "moved", composing = false } = {}) {
    if (how === "typed" && after === this.#seen.after) this.#judge(draft); // else the caret has moved as well
    if (how !== "moved") this.#quiet = how === "deleted";
    this.#seen = { draft, after, atEnd, composing };
    this.spacing.look(draft);
    this.#question(false);
  }

  /** Forget the last answer and ask again: what is answered, or the manners, have changed. */
  refresh() {
    this.#said = NOTHING;
    this.#question(false);
  }

  /** The last answer, with the draft it was given for. */
  get said() {
    return this.#said;
  }

  /** What is on screen at the caret now; "" for nothing. */
  get text() {
    const { draft, atEnd, composing } = this.#seen;
    if (draft === null || composing || this.#isSilent() || this.#hushed.has(draft)) return "";
    const { longest } = this.#manners();
    const whole = left(this.#said.draft, this.#said.ghost, draft);
    const ghost = longest < LONGEST ? firstWords(whole, longest) : whole;
    if (ghost === "" || this.#wrong.has(draft + firstWord(ghost))) return "";
    return atEnd ? ghost : firstWord(ghost); // above other lines there is little room
  }

  /** What closes the line, and is to be drawn again after the ghost that lies over it; "" where there is no ghost. */
  get closers() {
    return this.text ? this.#seen.after.trimEnd() : "";
  }

  /** The words to choose from, at most three: what each adds, how it will stand there, how likely it is. */
  get words() {
    const { draft } = this.#seen;
    if (draft === null || this.#isSilent()) return [];
    return this.#said.words
      .map(({ text, probability }) => ({ text: left(this.#said.draft, text, draft), probability }))
      .filter(({ text }) => text !== "" && !this.#wrong.has(draft + firstWord(text)))
      .map(({ text, probability }) => ({ text, probability, shown: wholeWord(draft, text) }))
      .filter(({ shown }) => shown !== "");
  }

  /**
   * What an action puts in at the caret, with the space that surely follows; "" where it has nothing to put in, and the key keeps
   * its meaning.
   *
   * @param {string} action one of `DEFAULT_KEYS`, but "hush"; or "whole", all of the ghost whatever Tab takes
   * @param {number} time milliseconds, to tell when a key is pressed twice
   */
  take(action, time) {
    if (action === "word") return this.#spaced(firstWord(this.text));
    if (action === "whole") return this.#spaced(this.text);
    if (action !== "all") return this.words[["first", "second", "third"].indexOf(action)]?.text ?? "";
    const twice = time - this.#tookAt < TWICE;
    if (this.text) this.#tookAt = time;
    return this.#spaced(this.#manners().tab === "all" || twice ? this.text : firstWord(this.text));
  }

  /** What is taken; where that is all there is, with the space after it. */
  #spaced(text) {
    const { draft } = this.#seen;
    if (!text || !this.#said.space || !this.#manners().space || text !== left(this.#said.draft, this.#said.ghost, draft)) return text;
    this.spacing.put(`${draft}${text} `);
    return `${text} `;
  }

  /** Whether a key that takes was meant for what is no longer there: it does nothing then, least of all leave the field. */
  isLate(action, time) {
    return action === "all" && time - Math.max(this.#tookAt + TWICE - LATE, this.#goneAt) < LATE;
  }

  /** Wave the ghost away; whether there was one. */
  hush() {
    if (!this.text) return false;
    this.#tookAt = this.#goneAt = -Infinity;
    this.#hushed.add(this.#seen.draft);
    this.#changed(null);
    return true;
  }

  /** Nobody writes here any more. */
  stop() {
    clearTimeout(this.#later);
    this.#asking.stop();
    this.#seen = NOWHERE;
    this.#changed(null);
  }

  #isSilent() {
    return this.#quiet || this.#manners().gate === "off";
  }

  /** See whether what was on screen is what was typed. */
  #judge(draft) {
    const before = this.#seen.draft;
    const shown = this.text;
    if (!shown || draft === null || !draft.startsWith(before)) return;
    const whole = before + shown;
    if (whole.startsWith(draft) || draft.startsWith(whole)) return;
    let parts = before.length;
    while (draft[parts] === whole[parts]) parts += 1;
    if (draft[parts] !== "\n") this.#wrong.add(before + firstWord(shown)); // who begins a new line has not said what comes here
  }

  #question(patient) {
    clearTimeout(this.#later);
    this.#patient = patient;
    const { draft } = this.#seen;
    this.#changed(null);
    if (draft !== null && !this.#isSilent()) this.#asking.about(draft);
    else this.#asking.stop();
  }

  #answered(draft, said) {
    if (said?.error) {
      this.#changed(said.error);
      return;
    }
    if (!said) return;
    const { blocked, preferred } = this.#manners();
    const allowed = preferred.filter((word) => !blocked.includes(word.toLowerCase()));
    const before = this.text;
    this.#said = { ...preferring(said, draft, allowed), draft };
    if (before && !this.text) this.#goneAt = performance.now();
    this.#changed(null);
    const unheard = said.cut && (!this.#patient || !said.rung); // no time for the best answer, or for any
    if (unheard && draft === this.#seen.draft) this.#later = setTimeout(() => this.#question(true), PAUSE);
  }
}

/** The last few texts, known again by how they end. */
class Remembered {
  #texts = new Set();

  add(text) {
    this.#texts.add(text.slice(-NEAR));
    if (this.#texts.size > REMEMBERED) this.#texts.delete(this.#texts.values().next().value);
  }

  has(text) {
    return this.#texts.has(text.slice(-NEAR));
  }
}
