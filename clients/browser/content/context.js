/** What a field answers: asked of the one adapter that knows the page, else the page's title. */

import { discourse } from "./adapters/discourse.js";
import { github } from "./adapters/github.js";
import { mail } from "./adapters/mail.js";
import { reddit } from "./adapters/reddit.js";
import { zulip } from "./adapters/zulip.js";

const ADAPTERS = [discourse, github, reddit, zulip, mail];
const MOST = 12; // posts
const LONGEST = 4_000; // characters of a post

/** The posts that a field answers, from the root on. @returns {{title: string, text: string}[]} */
export const contextOf = (field) => describe(field).posts;

/** The same, with the name of the adapter that knew. */
export function describe(field) {
  const knows = ADAPTERS.find((one) => one.knows(document));
  const found = (knows?.posts(document, field) ?? []).map(({ title = "", text = "" }) => ({ title: clean(title).slice(0, 300), text: clean(text).slice(0, LONGEST) }));
  const posts = found.filter(({ title, text }) => title || text);
  if (!posts.length) return { site: "title", posts: document.title.trim() ? [{ title: clean(document.title).slice(0, 300), text: "" }] : [] };
  return { site: knows.name, posts: posts.length > MOST ? [posts[0], ...posts.slice(1 - MOST)] : posts };
}

const clean = (text) => text.replace(/[^\S\n]+/gu, " ").replace(/\s*\n\s*\n\s*/gu, "\n\n").trim();
