/** How help behaves, in every place where one writes: what a person may choose, and what holds where nothing was chosen. */

import { DEFAULT_KEYS, nameOfKey } from "./keys.js";

export const GATES = ["off", "quiet", "normal", "eager"];
export const MOST_BLOCKED = 500; // words, which is what the server takes
export const MOST_PREFERRED = 500;
export const LONGEST = 8; // words of a ghost at most: the server makes no longer one, so that is no limit

/**
 * Manners out of what was kept, whatever that is.
 *
 * gate: how sure a ghost must be; "off" is the one switch for everything. longest: words of a ghost at most. tab: whether the key
 * that takes takes "all", or a "word" and when it is pressed twice all. space: whether the space that surely follows is put in with
 * what is taken. strip: whether three words are offered. learn: whether
 * finished sentences are counted into one's own text. blocked: words never suggested. preferred: words as they are to be written.
 */
export function manners(kept) {
  const given = kept !== null && typeof kept === "object" ? kept : {};
  const keys = given.keys !== null && typeof given.keys === "object" ? given.keys : {};
  return {
    gate: GATES.includes(given.gate) ? given.gate : "normal",
    longest: Number.isInteger(given.longest) ? Math.min(Math.max(given.longest, 1), LONGEST) : LONGEST,
    tab: given.tab === "word" ? "word" : "all",
    space: given.space !== false,
    strip: given.strip !== false,
    learn: given.learn === true,
    blocked: words(given.blocked, MOST_BLOCKED).map((word) => word.toLowerCase()),
    preferred: words(given.preferred, MOST_PREFERRED),
    keys: Object.fromEntries(Object.entries(DEFAULT_KEYS).map(([action, key]) => [action, nameOfKey(keys[action]) ?? key])),
  };
}

/** `list` with `word` at its end, once, whatever its capitals; without the first where there are more than `most`. */
export function withWord(list, word, most) {
  const plain = word.trim().slice(0, 60);
  if (!plain) return list;
  return [...list.filter((other) => other.toLowerCase() !== plain.toLowerCase()), plain].slice(-most);
}

const words = (list, most) =>
  Array.isArray(list) ? list.filter((word) => typeof word === "string" && word.trim() && word.length <= 60).slice(-most) : [];
