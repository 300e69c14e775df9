/** The thread's side: find a post, see what it answers and what answers it, and choose the one to reply to. */

import * as api from "./api.js";
import { byId, called, day, link, make, shortened } from "./typing/elements.js";
import { postText } from "./posttext.js";

const FOUND = 12; // posts of a search
const LONGEST = 100_000; // characters of a pasted post that the server takes
const DEEPEST = 6; // steps of indentation: beyond that lines get too short to read

/** The number in "8863", "#8863" or ".../item?id=8863", else null. */
function numberIn(text) {
  const found = /^#?(\d{1,15})$/.exec(text.trim()) ?? /[?&]id=(\d{1,15})\b/.exec(text);
  return found ? Number(found[1]) : null;
}

export class ThreadPane {
  #status = byId("thread-status");
  #place = byId("found");
  #choose;
  #write;
  #asked = 0;

  /**
   * @param {(context: object, title: string, notice: string) => void} choose told of the post to answer
   * @param {() => void} write called when the writer is ready to
   */
  constructor(choose, write) {
    this.#choose = choose;
    this.#write = write;
    byId("find").addEventListener("submit", (event) => {
      event.preventDefault();
      const words = byId("query").value;
      const id = numberIn(words);
      this.#show(() => (id === null ? this.#search(words) : this.#open(id)));
    });
    byId("paste").querySelector("form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#asked += 1;
      this.#status.textContent = "";
      this.#answerText(byId("pasted").value);
    });
    byId("try-post").addEventListener("click", () => this.#answerText(byId("try-post").textContent));
  }

  /** Answer a text that is in no archive. */
  #answerText(text) {
    const read = text.slice(0, LONGEST);
    this.#place.replaceChildren(this.#article({ text }, { depth: 0, answered: true }));
    this.#status.textContent = read.length < text.length ? `Of this text the first ${LONGEST.toLocaleString("en")} characters are read.` : "";
    this.#choose({ text: read }, shortened(read, 80), "");
  }

  /** Show a post between what it answers and what answers it, and a way back; what is answered stays the same. */
  look(id) {
    const before = [...this.#place.childNodes];
    const back = make("button", { type: "button", className: "back" }, "← Back to what you answer");
    back.addEventListener("click", () => {
      this.#asked += 1;
      this.#status.textContent = "";
      this.#place.replaceChildren(...before);
    });
    this.#show(async () => {
      const { post, context, replies } = await api.post(id);
      const around = [...context, post].map((one, depth) => this.#article(one, { depth, answered: false, sought: one === post }));
      const below = replies.map((one) => this.#article(one, { depth: context.length + 1, answered: false }));
      return { said: "Where that reply comes from.", elements: [...(before.length ? [back] : []), ...around, ...below] };
    });
  }

  /** Show what `find` brings, unless something newer was asked for meanwhile. */
  async #show(find) {
    const mine = ++this.#asked;
    this.#status.textContent = "Looking …";
    try {
      const { said, elements } = await find();
      if (mine !== this.#asked) return;
      this.#status.textContent = said;
      this.#place.replaceChildren(...elements);
      this.#place.querySelector(".answered, .sought")?.scrollIntoView({ block: "nearest" });
    } catch (error) {
      if (mine === this.#asked) this.#status.textContent = error.message;
    }
  }

  async #search(words) {
    const { found } = await api.search(words, FOUND);
    const items = found.map(({ post, opening }) => {
      const title = make("strong", {}, post.title || opening);
      const open = make("button", { type: "button", className: "hit" }, title, shortened(post.text, 160));
      open.addEventListener("click", () => this.#show(() => this.#open(post.id)));
      return make("li", {}, open);
    });
    return { said: found.length ? counted(found.length) : "No post has these words.", elements: [make("ol", { className: "hits" }, ...items)] };
  }

  /** The post of that number between what it answers and what answers it. */
  async #open(id) {
    const { post, context, replies, notice } = await api.post(id);
    const path = [...context, post];
    const above = path.map((one, depth) => this.#article(one, { depth, answered: one === post }));
    const below = replies.map((one) => this.#article(one, { depth: path.length, answered: false }));
    this.#choose({ item: post.id }, post.title || shortened(post.text, 80), notice);
    return { said: "", elements: [...above, ...below, this.#wholeThread(post)] };
  }

  #wholeThread(post) {
    const all = make("button", { type: "button" }, "Show the whole thread");
    all.hidden = post.thread === null;
    all.addEventListener("click", () =>
      this.#show(async () => {
        const { posts, whole } = await api.thread(post.thread);
        const said = whole ? counted(posts.length) : `the first ${counted(posts.length)}`;
        return { said, elements: posts.map((one) => this.#article(one, { depth: one.depth, answered: one.id === post.id })) };
      }),
    );
    return all;
  }

  #article(post, { depth, answered, sought = false }) {
    const answer = make("button", { type: "button", className: "answer" }, answered ? "Write the answer" : "Answer this");
    answer.addEventListener("click", () => (answered ? this.#write() : this.#show(() => this.#open(post.id))));
    const when = post.time ? make("time", { dateTime: day(post.time) }, day(post.time)) : null;
    const number = post.id ? link(post.url, called(post.id, post.source)) : null;
    const made = make(
      "article",
      { className: answered ? "post answered" : sought ? "post sought" : "post" },
      post.title ? make("h3", {}, post.title) : null,
      ...postText(post.text ?? ""),
      make("footer", {}, number, when, answer),
    );
    if (answered) made.setAttribute("aria-current", "true");
    made.style.setProperty("--depth", Math.min(depth, DEEPEST));
    return made;
  }
}

const counted = (posts) => `${posts} ${posts === 1 ? "post" : "posts"}`;
