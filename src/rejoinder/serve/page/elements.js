/** Elements by hand. Text goes in as text nodes only, so that what strangers wrote can never become markup. */

/** The element of that id. */
export const byId = (id) => document.getElementById(id);

/** A new element with these properties; children are elements or strings, and null is passed over. */
export function make(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

/** A link to an address of the web; plain text where the address is of another kind (javascript: and the like). */
export function link(address, text) {
  if (!/^https?:\/\//i.test(address ?? "")) return document.createTextNode(text);
  return make("a", { href: address, target: "_blank", rel: "noopener noreferrer" }, text);
}

/** `text` in one line, cut to so many characters. */
export function shortened(text, most) {
  const line = text.replace(/\s+/gu, " ").trim();
  return line.length > most ? `${line.slice(0, most).replace(/\s+\S*$/u, "")} …` : line;
}

/** A probability as a person reads it. */
export const percent = (share) => (share > 0 && share < 0.005 ? "<1%" : `${Math.round(share * 100)}%`);
