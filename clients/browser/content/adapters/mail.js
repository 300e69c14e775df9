/** A mail composer: the subject, and the mail that is answered, shown above or quoted in the draft. Gmail, Roundcube, SOGo and their kin. */

import { textOf, titled } from "./posts.js";

const SUBJECT = "input[name=subjectbox], input[name=_subject], input[name=subject], h2.hP, [data-testid=subject]";
const BODY = "[role=textbox][aria-label*='Body' i], #composebody, [g_editable=true], [data-testid=mail-composer]";
const QUOTED = ".gmail_quote blockquote, .gmail_quote, blockquote[type=cite]";
const SHOWN = ".a3s, #messagebody, [data-testid=mail-body]";

export const mail = {
  name: "mail",
  knows: (page) => page.querySelector(BODY) !== null && page.querySelector(SUBJECT) !== null,

  posts(page, field) {
    const subject = page.querySelector(SUBJECT);
    const title = (subject instanceof HTMLInputElement ? subject.value : (subject?.textContent ?? "")).replace(/^(?:\s*(?:re|fwd?|aw|wg|sv|tr)\s*:)+/iu, "").trim();
    const quoted = field?.isContentEditable ? field.querySelector(QUOTED) : null;
    const plain = field instanceof HTMLTextAreaElement ? field.value.split("\n").filter((line) => /^>/u.test(line)).map((line) => line.replace(/^>\s?/u, "")).join("\n") : "";
    const shown = [...page.querySelectorAll(SHOWN)].map((one) => textOf(one));
    const answered = shown.length ? shown : [quoted === null ? plain : quoted.innerText].filter((text) => text.trim());
    return titled(title, answered);
  },
};
