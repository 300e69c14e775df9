/** What a person chose, wherever it is kept; nothing of it leaves this machine. */

import { MOST_BLOCKED, MOST_PREFERRED, manners, withWord } from "./manners.js";

/** The manners; whoever listens is told of every change. */
export class Settings extends EventTarget {
  #manners;
  #keep;

  /**
   * @param {unknown} kept what was kept
   * @param {(manners: object) => void} keep keeps it
   */
  constructor(kept, keep) {
    super();
    this.#manners = manners(kept);
    this.#keep = keep;
  }

  get manners() {
    return this.#manners;
  }

  /** Change some of them. */
  set(some) {
    this.#manners = manners({ ...this.#manners, ...some });
    this.#keep(this.#manners);
    this.dispatchEvent(new Event("change"));
  }

  block(word) {
    this.set({ blocked: withWord(this.#manners.blocked, word.toLowerCase(), MOST_BLOCKED) });
  }

  prefer(word) {
    this.set({ preferred: withWord(this.#manners.preferred, word, MOST_PREFERRED) });
  }

  /** Take a word off a list, "blocked" or "preferred"; the others stay. */
  drop(list, word) {
    this.set({ [list]: this.#manners[list].filter((other) => other !== word) });
  }
}
