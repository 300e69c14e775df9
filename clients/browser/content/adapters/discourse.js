/** Discourse: the topic's title, the opening post, and the post that the composer says it answers, else those above. */

import { textOf, titled } from "./posts.js";

export const discourse = {
  name: "Discourse",
  knows: (page) => /^Discourse\b/u.test(page.querySelector("meta[name=generator]")?.content ?? ""),

  posts(page) {
    const title = page.querySelector("#topic-title .fancy-title, h1[data-topic-id]")?.textContent ?? page.title;
    const posts = [...page.querySelectorAll("article[data-post-id]")];
    // the composer names the post it answers by a link to it: /t/slug/TOPIC/NUMBER
    const number = /\/(\d+)$/u.exec(page.querySelector("#reply-control .post-link, #reply-control a.user-link")?.getAttribute("href") ?? "")?.[1];
    const answered = posts.find((post) => post.id === `post_${number}` || post.closest(`[data-post-number="${number}"]`) !== null);
    const wanted = answered === undefined ? posts : [...new Set([posts[0], answered])];
    return titled(title, wanted.map((post) => textOf(post.querySelector(".cooked"))));
  },
};
