/** What the reader chose, kept by the browser between visits; nothing of it leaves this machine. */

import { keep, kept } from "./storage.js";
import { MOST_BLOCKED, MOST_PREFERRED, manners, withWord } from "./typing/manners.js";

const PLACE = "rejoinder.settings";

/** The manners; whoever listens is told of every change. */
export class Settings extends EventTarget {
  #manners = manners(kept(PLACE));

  get manners() {
    return this.#manners;
  }

  /** Change some of them. */
  set(some) {
    this.#manners = manners({ ...this.#manners, ...some });
    keep(PLACE, this.#manners);
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
