/** The space that was put in after what was taken: typed once more it is swallowed, and a mark takes its place. */

const MARKS = [...".,;:!?)]}…"];

export class Spacing {
  #draft = null; // that ends with it; null where none was put in last

  /** What was taken makes `draft`, which ends with such a space. */
  put(draft) {
    this.#draft = plain(draft);
  }

  /** This is the draft now. */
  look(draft) {
    if (draft === null || plain(draft) !== this.#draft) this.#draft = null;
  }

  /** What a key does here: "again", the space is there already; "instead", it belongs where the space is; "" for nothing special. */
  does({ key, ctrlKey, altKey, metaKey }) {
    if (this.#draft === null || ctrlKey || altKey || metaKey) return "";
    if (key !== " ") return MARKS.includes(key) ? "instead" : "";
    this.#draft = null; // once
    return "again";
  }
}

/** Where text is rich, a space at the end of a line is one that does not break. */
const plain = (text) => text.replaceAll("\u00a0", " ");
