/** Elements by hand. Text goes in as text nodes only, so that what strangers wrote can never become markup, and nothing hides in it. */

const HIDDEN = /[\p{Cc}\p{Cf}\u034f\u115f\u1160\u2800\u3164\uffa0\ufe00-\ufe0d\u{e0100}-\u{e01ef}]/gu;
const COMPLEX = /^[\p{L}\p{M}\p{S}]$/u;

/** Whether the character there is of a script (or an emoji) whose words need joiners inside them. */
const complex = (character) => COMPLEX.test(character) && character >= "\u0590";

/**
 * `text` with what would turn it round or hide in it shown as its number, <U+202E>. Newlines and tabs stay, and so do the
 * joiners that emoji and some scripts need.
 */
export function visible(text) {
  return text.replace(HIDDEN, (hidden, at) => {
    if (hidden === "\n" || hidden === "\t") return hidden;
    const joins = hidden === "\u200c" || hidden === "\u200d";
    if (joins && complex([...text.slice(0, at)].at(-1) ?? "") && complex([...text.slice(at + 1, at + 3)][0] ?? "")) return hidden;
    return `<U+${hidden.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}>`;
  });
}

/** The element of that id. */
export const byId = (id) => document.getElementById(id);

/** A new element with these properties; children are elements or strings, which are made visible, and null is passed over. */
export function make(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  const given = children.filter((child) => child !== null && child !== undefined);
  made.append(...given.map((child) => (typeof child === "string" ? visible(child) : child)));
  return made;
}

/** A link to an address of the web; plain text where the address is of another kind (javascript: and the like). */
export function link(address, text) {
  if (!/^https?:\/\//i.test(address ?? "")) return document.createTextNode(text);
  return make("a", { href: address, target: "_blank", rel: "noopener noreferrer" }, text);
}

/** What to call a post: by its number where that is its own, else by the place it comes from. */
export function called(number, source) {
  return source && typeof number === "string" ? `post in ${source}` : `post ${number}`;
}

/** `text` in one line, cut to so many characters. */
export function shortened(text, most) {
  const line = text.replace(/\s+/gu, " ").trim();
  return line.length > most ? `${line.slice(0, most).replace(/\s+\S*$/u, "")} …` : line;
}

/** A probability as a person reads it. */
export const percent = (share) => (share > 0 && share < 0.005 ? "<1%" : `${Math.round(share * 100)}%`);

/** A probability in words. */
export function likely(share) {
  return share >= 0.9 ? "Almost surely" : share >= 0.6 ? "Probably" : share >= 0.3 ? "Perhaps" : "A guess";
}

/** The day of a time in seconds, as ISO writes it. */
export const day = (seconds) => new Date(seconds * 1000).toISOString().slice(0, 10);
