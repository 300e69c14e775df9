/** What may be said at the caret. Pure functions of strings. */

// a word with what joins its parts (don't, e.g, 3.5, e-mail), its end ('t), or a run of anything else that is no space
const STEP = /^\s*(?:['’]?[\p{L}\p{N}\p{M}]+(?:['’.\-\u200c\u200d][\p{L}\p{N}\p{M}]+)*|[^\s\p{L}\p{N}]+)/u;

/** What is left of a ghost made for the draft `asked`, now that the draft is `draft`: "" unless every letter since agrees. */
export function left(asked, ghost, draft) {
  const whole = asked + ghost;
  return draft.startsWith(asked) && whole.startsWith(draft) ? whole.slice(draft.length) : "";
}

/** The first step of a ghost, with the space before it: a word, or punctuation by itself. */
export const firstWord = (ghost) => STEP.exec(ghost)?.[0] ?? ghost;

/** The first `most` words of a ghost; punctuation goes with the word before it. */
export function firstWords(ghost, most) {
  const words = [...ghost.matchAll(/\s*\S+/gu)].slice(0, most);
  return words.length ? ghost.slice(0, words.at(-1).index + words.at(-1)[0].length) : ghost;
}

/** The unfinished word at the end of a draft. */
export const unfinished = (draft) => /\S*$/u.exec(draft)[0];

/** A suggested word as it will stand in the draft: with the letters of it that are there already. */
export const wholeWord = (draft, text) => (/^\s/u.test(text) ? text.trim() : unfinished(draft) + text.trimEnd());

// closing brackets, quotes, markers and blanks: `rejoinder.engine.manners` has the same
const CLOSERS = /^[ \t)\]}>"'”’»›*_`~]*$/u;

/** Whether only what closes stands in `line`, the rest of the caret's line: the caret is as good as at its end. */
export const closes = (line) => CLOSERS.test(line);

/**
 * A text at its caret: `draft`, what stands before it, null where no ghost belongs (something is selected, or the caret is inside a
 * line); `after`, what closes the caret's line; `atEnd`, whether nothing else follows.
 */
export function atCaret(value, start, end) {
  const newline = value.indexOf("\n", end);
  const after = value.slice(end, newline < 0 ? value.length : newline);
  return { draft: start === end && closes(after) ? value.slice(0, end) : null, after, atEnd: newline < 0 && closes(after) };
}
