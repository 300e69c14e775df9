/** Whole replies, each with where it comes from. */

import * as api from "./api.js";
import { copyButton } from "./copy.js";
import { byId, called, day, likely, link, make, percent, shortened, visible } from "./typing/elements.js";
import { postText } from "./posttext.js";

const MOST = 5;
const ASKED = 240; // characters shown of what a reply answered

export class Replies {
  #status = byId("replies-status");
  #list = byId("replies-list");
  #composer;
  #context;
  #tell;
  #look;
  #asked = 0;

  /**
   * @param {Composer} composer where a reply may be put
   * @param {() => object | null} context what is answered
   * @param {{tell: (notice: string) => void, look: (post: number) => void}} page shows what the forum asks of writers; a post
   */
  constructor(composer, context, { tell, look }) {
    this.#composer = composer;
    this.#context = context;
    this.#tell = tell;
    this.#look = look;
    byId("replies").querySelector("form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#fetch();
    });
  }

  /** Another post is answered: what was found for the last one goes. */
  clear() {
    this.#asked += 1;
    this.#status.textContent = "";
    this.#list.replaceChildren();
  }

  async #fetch() {
    const context = this.#context();
    if (context === null) {
      this.#status.textContent = "Choose a post to answer first.";
      return;
    }
    this.clear();
    const mine = this.#asked;
    this.#status.textContent = "Looking …";
    const wanted = { context, k: MOST, generate: byId("generate").checked, all: byId("everything").checked };
    try {
      const found = await api.reply(wanted);
      if (mine === this.#asked) this.#show(found);
    } catch (error) {
      if (mine === this.#asked) this.#status.textContent = error.message;
    }
  }

  #show({ replies, notice, score, threshold }) {
    this.#tell(notice);
    const doubt = threshold ? ` What is less than ${percent(threshold)} likely to be on topic is shown with “also unlikely ones”.` : "";
    this.#status.textContent = replies.length ? `${replies.length} found.` : `None to suggest: nothing is near enough.${doubt}`;
    this.#list.replaceChildren(...replies.map((one) => this.#item(one, score === "probability", Boolean(notice))));
  }

  #item(reply, sure, noticed) {
    const put = make("button", { type: "button" }, "Put in the draft");
    put.addEventListener("click", () => this.#composer.insert(visible(reply.text)));
    const retrieved = sure && !reply.generated && reply.post !== null;
    const probable = retrieved ? `${likely(reply.score).toLowerCase()} on topic, ${percent(reply.score)}` : `score ${reply.score.toFixed(2)}`;
    return make(
      "li",
      { className: reply.generated ? "reply generated" : "reply" },
      asked(reply),
      ...postText(reply.text),
      make("footer", {}, make("span", {}, `${reply.rung} · ${probable}`), this.#origin(reply), noticed ? null : copyButton(() => visible(reply.text)), noticed ? null : put),
    );
  }

  /** Who wrote it, and where: opened in the thread's side, so that what is written stays as it is. */
  #origin(reply) {
    if (reply.generated) return make("span", {}, "made by a model: nobody wrote this");
    if (reply.post === null || reply.post === undefined) return make("span", {}, "not from a post");
    const open = make("button", { type: "button", className: "source" }, called(reply.post, reply.source));
    open.addEventListener("click", () => this.#look(reply.post));
    return make("span", {}, open, reply.time ? `, ${longAgo(reply.time)}` : "", reply.url ? " · " : "", reply.url ? link(reply.url, "where it stands") : "");
  }
}

/** What was asked there, and what came of it. */
function asked(reply) {
  const known = reply.case;
  if (!known) return reply.title ? make("p", { className: "asked" }, `Asked there: “${visible(reply.title)}”`) : null;
  const when = known.asked_at ? ` (${day(known.asked_at)})` : "";
  const person = known.same_person_as ? `By the same person as reply ${known.same_person_as}. ` : "";
  const solved = known.solved.length ? make("strong", {}, known.solved.join("; ")) : "";
  return make("p", { className: "asked" }, `Asked there${when}: “${shortened(visible(known.asked), ASKED)}” ${person}`, solved);
}

/** The day, and from two years on how long ago that was. */
function longAgo(seconds) {
  const years = Math.floor((Date.now() / 1000 - seconds) / (365 * 86400));
  return years >= 2 ? `${day(seconds)} (${years} years ago)` : day(seconds);
}
