/** GitHub, here or of a company: the or pull request's title, and the comments above the box. */

import { before, textOf, titled } from "./posts.js";

export const github = {
  name: "GitHub",
  knows: (page) => page.querySelector("meta[property='og:site_name'][content=GitHub], meta[name=hostname][content='github.com']") !== null,

  posts(page, field) {
    const title = page.querySelector("[data-testid=issue-title], .js-issue-title, .markdown-title")?.textContent ?? page.title;
    const bodies = before(page.querySelectorAll(".js-comment-body, [data-testid=markdown-body], .comment-body"), field);
    return titled(title, bodies.filter((body) => !body.parentElement.closest(".js-comment-body, [data-testid=markdown-body], .comment-body")).map((body) => textOf(body)));
  },
};
