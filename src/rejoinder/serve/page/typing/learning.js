/**
 * Learning from what one writes: the sentences that were typed and finished in a field, each once. What stood there before and what was
 * pasted is not one's own. Nothing is kept here: whoever makes one says where the sentences go.
 */

const SENTENCE = /[^\s][^.!?…。！？\n]*[.!?…。！？]+["'”’)\]»]*(?=\s|$)/gu;
const FEWEST = 3; // words of a sentence that is worth counting
const MOST = 20_000; // characters of a field that are looked at, its end

/** The finished sentences of a text; lines that quote others (">") are left out. */
export function sentencesOf(text) {
  const own = text.slice(-MOST).split("\n").filter((line) => !/^\s*>/u.test(line)).join("\n");
  return (own.match(SENTENCE) ?? []).map((sentence) => sentence.trim()).filter((sentence) => sentence.split(/\s+/u).length >= FEWEST);
}

export class Learning {
  #keep;
  #known = new Set(); // sentences that are not to be kept (again)

  /** @param {(text: string) => void} keep takes finished sentences, in one text */
  constructor(keep) {
    this.#keep = keep;
  }

  /** Writing begins: what stands there already was not written now. */
  began(text) {
    for (const sentence of sentencesOf(text)) this.#known.add(sentence);
  }

  /** Something was pasted or dropped in. */
  pasted(text) {
    this.began(text);
  }

  /** Writing has ended, or pauses: keep what is new. */
  ended(text) {
    const fresh = sentencesOf(text).filter((sentence) => !this.#known.has(sentence));
    for (const sentence of fresh) this.#known.add(sentence);
    if (fresh.length) this.#keep(fresh.join(" "));
    return fresh.length;
  }
}
