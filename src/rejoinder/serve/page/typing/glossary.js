/** Words to prefer: suggested as they are written here, and offered once a few letters of them stand there. Pure functions. */

import { firstWord, unfinished } from "./draft.js";

const LETTERS = 3; // of a preferred word that must stand there before it is offered
const WORD = /[\p{L}\p{N}\p{M}]+(?:['’.\-][\p{L}\p{N}\p{M}]+)*/gu;
const OPENED = /^["'“‘«([{<*_~`]+/u; // what may stand before the first letter of a word

/**
 * An answer of the server about `draft`, in which preferred words have their capitals and come first in the strip.
 *
 * The ghost is a preferred word where the server shows none and is not about to go on after the word that stands there ("The" is
 * not the beginning of "Thesis"), or where the ghost agrees with it. Where the server is silent, so is this.
 */
export function preferring(said, draft, preferred) {
  if (!preferred.length || said.silent) return said;
  const forms = new Map(preferred.map((word) => [word.toLowerCase(), word]));
  const begun = unfinished(draft).replace(OPENED, "");
  const ghost = capitalised(said.ghost ?? "", begun, forms);
  const words = (said.words ?? []).map((word) => ({ ...word, text: capitalised(word.text, begun, forms) }));
  const wanted = begun.length >= LETTERS ? preferred.find((word) => word.startsWith(begun) && word.length > begun.length) : undefined;
  if (wanted === undefined) return { ...said, ghost, words };
  const rest = wanted.slice(begun.length);
  const others = words.filter(({ text }) => !goesOn(text) || (begun + firstWord(text)).toLowerCase() !== wanted.toLowerCase());
  const strip = [{ text: rest, probability: words[0]?.probability ?? 0, preferred: true }, ...others].slice(0, 3);
  const agrees = ghost.toLowerCase().startsWith(rest.toLowerCase());
  if (agrees) return { ...said, ghost: rest + ghost.slice(rest.length), words: strip };
  return { ...said, ghost: ghost || !words.every(({ text }) => goesOn(text)) ? ghost : rest, words: strip };
}

/** Whether a text goes on with the word that stands there, and does not come after it. */
const goesOn = (text) => /^['’]?[\p{L}\p{N}\p{M}]/u.test(text);

/** `text` with preferred words written as they are; of the word that is `begun`, what is missing, if its letters agree. */
function capitalised(text, begun, forms) {
  const first = goesOn(text) ? firstWord(text) : "";
  return text.replace(WORD, (word, at) => {
    const whole = at < first.length ? begun + word : word;
    const form = forms.get(whole.toLowerCase());
    if (form === undefined) return word;
    return whole === word ? form : form.startsWith(begun) ? form.slice(begun.length) : word;
  });
}
