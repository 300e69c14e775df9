/**
 * Learning from what one writes: the sentences that were typed and finished in a field, each once. A line that another follows is finished
 * too, such as "Kind regards,". What stood there before and what was pasted is not one's own. Nothing is kept here: whoever makes one says
 * where the sentences go.
 */

const SENTENCE = /[^\s][^.!?…。！？\n]*([.!?…。！？]+["'”’)\]»]*(?=\s|$))?/gu; // or what is none: nothing is read twice
const FEWEST = 2; // words of a sentence that is worth counting
const MOST = 20_000; // characters of a field that are looked at when one pauses, its end

/**
 * The finished sentences of the last `most` characters of a text; lines that quote others (">") are left out. One that begins a line has
 * the line break before it.
 */
export function sentencesOf(text, most = MOST) {
  const lines = text.slice(-most).split("\n");
  return lines.flatMap((line, number) => {
    if (/^\s*>/u.test(line)) return [];
    const whole = [...line.matchAll(SENTENCE)].filter(([, end]) => end || number + 1 < lines.length);
    const long = whole.filter(([sentence]) => sentence.trim().split(/\s+/u).length >= FEWEST);
    const begins = ({ index }) => number > 0 && !line.slice(0, index).trim();
    return long.map((match) => (begins(match) ? "\n" : "") + match[0].trimEnd());
  });
}

export class Learning {
  #keep;
  #known = new Set(); // sentences that are not to be kept (again)

  /** @param {(text: string) => void} keep takes finished sentences, in one text */
  constructor(keep) {
    this.#keep = keep;
  }

  /** Writing begins, of another text: what stands there already was not written now. */
  began(text) {
    this.#known.clear();
    this.pasted(text);
  }

  /** Something was pasted or dropped in. */
  pasted(text) {
    for (const sentence of sentencesOf(`${text}\n`, Infinity)) this.#known.add(sentence.trim());
  }

  /** What was written is done with, its last line as well. */
  sent(text) {
    this.ended(`${text}\n`);
  }

  /** Writing has ended, or pauses: keep what is new. */
  ended(text) {
    const fresh = new Map();
    for (const sentence of sentencesOf(text)) if (!this.#known.has(sentence.trim())) fresh.set(sentence.trim(), sentence);
    for (const sentence of fresh.keys()) this.#known.add(sentence);
    if (fresh.size) this.#keep([...fresh.values()].map((one) => (one.startsWith("\n") ? one : ` ${one}`)).join("").trim());
    return fresh.size;
  }
}
