/** Help in one field, while somebody writes in it: joins the field, the ghost, what is drawn, and the keys. */

import { visible } from "../typing/elements.js";
import { Ghost } from "../typing/ghost.js";
import { actionOf } from "../typing/keys.js";
import { Learning } from "../typing/learning.js";

const WORDS = ["first", "second", "third"];

export class Help {
  #field;
  #overlay;
  #page;
  #ghost;
  #learning;
  #session = crypto.randomUUID();
  #sequence = 0;
  #composing = false;
  #how = null; // what the field was told is about to be done to it
  #last = { draft: null }; // what stood around the caret, as it was last looked at
  #text = ""; // the whole text, as it was last looked at
  #swallowed = ""; // a key whose release is ours as well
  #frame = 0;
  #watch = new MutationObserver(() => this.look());
  #size = new ResizeObserver(() => this.#place());

  /**
   * @param {PlainField | RichField} field
   * @param {Overlay} overlay
   * @param {{ask: (kind: string, more: object) => Promise<object>, context: () => object[], manners: () => object, learns: () => boolean}} page
   */
  constructor(field, overlay, page) {
    this.#field = field;
    this.#overlay = overlay;
    this.#page = page;
    this.#ghost = new Ghost((...asked) => this.#ask(...asked), () => this.#place(), page.manners);
    this.#learning = new Learning((text) => page.learns() && page.ask("keep", { text }).catch(() => {}));
    this.#text = field.text;
    this.#learning.began(this.#text);
    this.#size.observe(field.element);
    if (field.element.isContentEditable) this.#watch.observe(field.element, { subtree: true, childList: true, characterData: true });
    overlay.show();
    this.look();
  }

  get element() {
    return this.#field.element;
  }

  /** Nobody writes here any more. */
  stop() {
    this.#watch.disconnect();
    this.#size.disconnect();
    this.#ghost.stop();
    cancelAnimationFrame(this.#frame);
    if (this.#page.learns()) this.#learning[this.element.isConnected ? "ended" : "sent"](this.#text); // a field that is gone was sent
    this.#overlay.remove();
  }

  /** The manners have changed. */
  refresh() {
    this.#ghost.refresh();
  }

  /** The page says what it is about to do to the field, or has done. */
  told({ type, inputType, isComposing, data, clipboardData }) {
    if (type === "compositionstart" || type === "compositionend") this.#composing = type === "compositionstart";
    if (type === "beforeinput" && isComposing) this.#composing = true; // it began before help was here
    if (type === "paste") this.#learning.pasted(clipboardData?.getData("text/plain") ?? "");
    if (type === "beforeinput" && this.#page.learns() && this.#field.text !== this.#text) this.#learning.began(this.#field.text); // the page wrote that
    if (inputType) this.#how = /^(?:delete|history)/u.test(inputType) ? "deleted" : "typed";
    if (type !== "beforeinput" && type !== "paste") this.look();
    if (inputType === "insertFromDrop") this.#learning.pasted(data ?? "");
  }

  /** See how the field is now. */
  look() {
    const seen = this.#composing ? { draft: null } : this.#field.look();
    const draft = seen.draft?.trim() ? seen.draft : null; // an empty field is no question
    const { after, atEnd } = seen;
    const isSame = draft === this.#last.draft;
    if (isSame && after === this.#last.after && atEnd === this.#last.atEnd && this.#how === null) {
      this.#place();
      return;
    }
    if (this.#page.learns()) this.#remember();
    const how = isSame ? "moved" : (this.#how ?? "moved");
    this.#how = null;
    this.#last = { draft, after, atEnd };
    this.#ghost.look(draft, { after, atEnd, how });
  }

  /** Note the text as it was typed. A field that the page empties has been sent, and what it held is finished. */
  #remember() {
    const { text } = this.#field;
    const isSent = !text.trim() && this.#text.trim() && this.#how !== "deleted";
    if (isSent) this.#learning.sent(this.#text);
    if (isSent || (this.#how === null && text !== this.#text)) this.#learning.began(text); // the page wrote that
    this.#text = text;
  }

  /** A key was pressed; whether it was ours. */
  key(event) {
    if (event.isComposing || this.#composing || !event.isTrusted) return false;
    const action = actionOf(event, this.#page.manners().keys);
    if (action === null) return this.#afterSpace(event);
    const done = action === "hush" ? this.#ghost.hush() : this.#act(action, event.timeStamp);
    const isOurs = done || this.#ghost.isLate(action, event.timeStamp);
    this.#swallowed = isOurs ? event.key : "";
    return isOurs;
  }

  /** A key after a space that was put in with what was taken; whether it was ours. */
  #afterSpace(event) {
    const does = this.#ghost.spacing.does(event);
    if (does === "instead") this.#field.reachBack(); // and is typed over it
    if (does !== "again") return false;
    this.#swallowed = event.key;
    return true;
  }

  /** A key was let go; whether that is ours. */
  released({ key }) {
    const isOurs = key === this.#swallowed;
    if (isOurs) this.#swallowed = "";
    return isOurs;
  }

  /** A word of the strip was clicked. */
  pick(place) {
    this.#act(WORDS[place], performance.now());
  }

  /** Put text in at the caret, since a person has clicked on it. */
  insert(text) {
    if (document.activeElement !== this.element) this.element.focus();
    this.#field.insert(visible(text));
    this.look();
  }

  #act(action, time) {
    const taken = visible(this.#ghost.take(action, time));
    const text = this.#field.hasRoomFor(taken) ? taken : taken.trimEnd(); // without the space
    if (!text || !this.#field.hasRoomFor(text)) return false;
    this.#how = "typed";
    this.#field.insert(text);
    this.look();
    return true;
  }

  #ask(draft, after, patient) {
    return this.#page.ask("suggest", { draft, after, patient, context: this.#page.context(), session: this.#session, sequence: ++this.#sequence });
  }

  /** Draw at the next frame, where everything is then. */
  #place() {
    cancelAnimationFrame(this.#frame);
    const ghost = this.#ghost.text;
    if (ghost === "" || !this.#shownFits(ghost)) this.#overlay.draw("", [], null); // what does not agree is gone at once
    this.#frame = requestAnimationFrame(() => this.#draw());
  }

  #shownFits(ghost) {
    return this.#field.hasRoomFor(ghost);
  }

  #draw() {
    const text = this.#ghost.text;
    const ghost = this.#field.hasRoomFor(text) ? text : "";
    const words = this.#page.manners().strip && !this.#composing ? this.#ghost.words : [];
    const caret = ghost || words.length ? this.#field.caret() : null;
    this.#overlay.draw(ghost, words, caret === null ? null : { ...caret, closers: this.#ghost.closers, ground: this.element });
  }

  /** The page has moved. */
  moved() {
    this.#place();
  }
}
