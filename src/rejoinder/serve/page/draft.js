/** What may be said at the caret. Pure functions of strings. */

/** What is left of a ghost made for the draft `asked`, now that the draft is `draft`: "" unless every letter since agrees. */
export function left(asked, ghost, draft) {
  const whole = asked + ghost;
  return draft.startsWith(asked) && whole.startsWith(draft) ? whole.slice(draft.length) : "";
}

/** The first word of a ghost, with the space before it. */
export const firstWord = (ghost) => /^\s*\S+/u.exec(ghost)?.[0] ?? ghost;

/** The unfinished word at the end of a draft. */
export const unfinished = (draft) => /\S*$/u.exec(draft)[0];

/** The draft up to the caret; null where no ghost belongs: something is selected, or the caret is inside a line. */
export function draftAt(value, start, end) {
  const atLineEnd = end === value.length || value[end] === "\n";
  return start === end && atLineEnd ? value.slice(0, end) : null;
}
