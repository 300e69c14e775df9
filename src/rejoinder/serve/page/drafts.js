/** Drafts: one for each post that is answered, and one that answers none. They survive a reload and a closed tab, on this machine only. */

import { keep, kept } from "./storage.js";
import { byId, day, make, shortened } from "./typing/elements.js";

const PLACE = "rejoinder.drafts";
const MOST = 20; // drafts; the oldest goes first
const PAUSE = 150; // milliseconds without a keystroke before it is kept

/** @typedef {{key: string, title: string, context: object | null, text: string, time: number}} Draft */

export class Drafts {
  #composer;
  #opened;
  #now = { key: "", title: "", context: null };
  #timer = 0;

  /**
   * @param {Composer} composer what is written in
   * @param {(draft: Draft) => void} opened told when another draft is taken up
   */
  constructor(composer, opened) {
    this.#composer = composer;
    this.#opened = opened;
    byId("draft").addEventListener("input", () => this.#soon());
    addEventListener("pagehide", () => this.#save());
    addEventListener("storage", ({ key }) => key === PLACE && this.#show()); // another tab
    byId("clear-draft").addEventListener("click", () => this.#clear(this.#now.key));
    const newest = read().toSorted((one, other) => other.time - one.time)[0];
    if (newest) this.#open(newest);
    else this.#show();
  }

  /** A post is answered from now on: with the draft there is for it, or with what is written already if that answers nothing yet. */
  answer(key, title, context) {
    this.#save();
    if (key === this.#now.key) return;
    const before = read().find((draft) => draft.key === key);
    if (before === undefined && this.#now.key === "") {
      const { text } = this.#composer;
      write(read().filter((draft) => draft.key !== ""));
      this.#now = { key, title, context };
      if (text) this.#save();
    } else {
      this.#now = { key, title, context };
      this.#composer.text = before?.text ?? "";
    }
    this.#show();
  }

  #open(draft) {
    this.#save();
    this.#now = { key: draft.key, title: draft.title, context: draft.context };
    this.#composer.text = draft.text;
    this.#opened(draft);
    this.#show();
  }

  #soon() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#save(), PAUSE);
  }

  #save() {
    clearTimeout(this.#timer);
    const { text } = this.#composer;
    const before = read();
    if (before.find((draft) => draft.key === this.#now.key)?.text === text) return;
    const others = before.filter((draft) => draft.key !== this.#now.key);
    const drafts = text.trim() ? [...others, { ...this.#now, text, time: Math.floor(Date.now() / 1000) }].slice(-MOST) : others;
    byId("unkept").hidden = write(drafts);
    this.#show();
  }

  #clear(key) {
    write(read().filter((draft) => draft.key !== key));
    if (key === this.#now.key) this.#composer.text = "";
    this.#show();
  }

  #show() {
    const drafts = read().toReversed();
    byId("drafts-count").textContent = drafts.length ? `(${drafts.length})` : "";
    byId("drafts-list").replaceChildren(...drafts.map((draft) => this.#item(draft)));
    byId("drafts-none").hidden = drafts.length > 0;
  }

  #item(draft) {
    const about = draft.title ? `To “${shortened(draft.title, 50)}”` : "Answers no post";
    const open = make("button", { type: "button", className: "hit" }, make("strong", {}, about), shortened(draft.text, 80));
    open.addEventListener("click", () => this.#open(draft));
    if (draft.key === this.#now.key) open.setAttribute("aria-current", "true");
    const erase = make("button", { type: "button", ariaLabel: `Erase the draft of ${day(draft.time)}: ${shortened(draft.text, 30)}` }, "Erase");
    erase.addEventListener("click", () => this.#clear(draft.key));
    return make("li", {}, open, erase);
  }
}

/** @returns {Draft[]} */
function read() {
  const found = kept(PLACE);
  return Array.isArray(found) ? found.filter((draft) => typeof draft?.text === "string" && typeof draft.key === "string") : [];
}

const write = (drafts) => keep(PLACE, drafts.length ? drafts : null);
