/** Words to prefer: suggested as they are written here, and offered once a few letters of them stand there. Pure functions. */

import { firstWord, unfinished, wholeWord } from "./draft.js";

const LETTERS = 3; // of a preferred word that must stand there before it is offered
const WORD = /[\p{L}\p{N}\p{M}]+(?:['’.\-][\p{L}\p{N}\p{M}]+)*/gu;

/** An answer of the server about `draft`, in which preferred words have their capitals, and come first. */
export function preferring(said, draft, preferred) {
  if (!preferred.length) return said;
  const forms = new Map(preferred.map((word) => [word.toLowerCase(), word]));
  const ghost = capitalised(said.ghost ?? "", draft, forms);
  const words = (said.words ?? []).map((word) => ({ ...word, text: capitalised(word.text, draft, forms) }));
  const begun = unfinished(draft);
  const wanted = begun.length >= LETTERS ? preferred.find((word) => word.startsWith(begun) && word.length > begun.length) : undefined;
  if (wanted === undefined) return { ...said, ghost, words };
  const rest = wanted.slice(begun.length);
  const others = words.filter((word) => wholeWord(draft, word.text).toLowerCase() !== wanted.toLowerCase());
  const kept = ghost.toLowerCase().startsWith(rest.toLowerCase()) ? rest + ghost.slice(rest.length) : rest;
  const space = said.space && kept.length === ghost.length;
  return { ...said, ghost: kept, space, words: [{ text: rest, probability: words[0]?.probability ?? 0, preferred: true }, ...others].slice(0, 3) };
}

/** `text` with preferred words written as they are; of a word that the draft has begun, what is missing, if its letters agree. */
function capitalised(text, draft, forms) {
  const begun = /^\s/u.test(text) ? "" : unfinished(draft);
  const first = firstWord(text);
  return text.replace(WORD, (word, at) => {
    const whole = at < first.length && begun ? begun + word : word;
    const form = forms.get(whole.toLowerCase());
    if (form === undefined) return word;
    return whole === word ? form : form.startsWith(begun) ? form.slice(begun.length) : word;
  });
}
