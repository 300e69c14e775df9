/** What the adapters share. */

/** The text of an element as it is read, without quotes of others, signatures and controls. */
export function textOf(element, unwanted = "") {
  if (element === null || element === undefined) return "";
  const copy = element.cloneNode(true);
  for (const part of copy.querySelectorAll(`script, style, button, aside.quote, blockquote[type=cite], .gmail_quote, .email-hidden-reply${unwanted && `, ${unwanted}`}`)) part.remove();
  for (const part of copy.querySelectorAll("p, div, li, blockquote, pre, br, tr, h1, h2, h3")) part.append("\n");
  return copy.textContent;
}

/** Those of `elements` that stand before `field` in the page, or all where there is no field. */
export const before = (elements, field) =>
  [...elements].filter((one) => field === null || field === undefined || one.compareDocumentPosition(field) & Node.DOCUMENT_POSITION_FOLLOWING);

/** Posts with the title at the first. */
export const titled = (title, texts) => (texts.length ? texts.map((text, place) => ({ title: place ? "" : title, text })) : title ? [{ title, text: "" }] : []);
