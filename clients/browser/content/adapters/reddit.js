/** Reddit: the post, and the comments from the first to the one whose box it is. */

import { textOf } from "./posts.js";

export const reddit = {
  name: "Reddit",
  knows: (page) => page.querySelector("shreddit-app, shreddit-post, .thing.link[data-fullname]") !== null,

  posts(page, field) {
    const post = page.querySelector("shreddit-post, .thing.link[data-fullname]");
    const title = post?.getAttribute("post-title") ?? post?.querySelector("[slot=title], a.title")?.textContent ?? page.title;
    const root = { title, text: textOf(post?.querySelector("[slot=text-body], .usertext-body")) };
    const path = [];
    for (let here = field?.closest("shreddit-comment, .thing.comment") ?? null; here !== null; here = here.parentElement.closest("shreddit-comment, .thing.comment")) {
      path.unshift({ text: textOf(here.querySelector("[slot=comment], .usertext-body")) });
    }
    return [root, ...path];
  },
};
