/** A reply, with where it comes from; copied, or put in, by a person's click and by nothing else. */

import { called, day, likely, link, make, percent, visible } from "../typing/elements.js";

/** @param {((text: string) => Promise<unknown>) | null} insert puts text into the field; null where that is not offered */
export function replyItem(reply, insert) {
  const text = visible(reply.text);
  const copy = make("button", { type: "button" }, "Copy");
  copy.addEventListener("click", async ({ isTrusted }) => {
    if (!isTrusted) return;
    await navigator.clipboard.writeText(text);
    copy.textContent = "Copied";
  });
  const put = insert === null ? null : make("button", { type: "button" }, "Put in");
  put?.addEventListener("click", async ({ isTrusted }) => {
    if (isTrusted) put.textContent = (await insert(text).catch(() => null))?.value ? "Put in ✓" : "The field is gone";
  });
  return make("li", { className: "reply" }, make("p", { className: "text" }, reply.text), make("p", { className: "hint" }, ...origin(reply)), make("p", { className: "row" }, copy, put));
}

function origin({ generated, post, source, title, time, url, score, rung }) {
  if (generated) return ["made by a model: nobody wrote this"];
  const where = post === null || post === undefined ? "not from a post" : link(url, called(post, source));
  const about = [title ? `, a reply to “${title}”` : "", time ? `, ${day(time)}` : ""];
  return [where, ...about, score >= 0 && score <= 1 ? ` · ${likely(score).toLowerCase()} on topic, ${percent(score)}` : "", ` · ${rung}`];
}
