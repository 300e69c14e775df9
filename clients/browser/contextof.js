/** What is answered, as the server wants it said; null for nothing. */

const MOST = 50; // posts that the server takes

/** @param {unknown} given posts as a page's script tells them, which is not to be trusted */
export function contextOf(given) {
  const posts = (Array.isArray(given) ? given : []).slice(-MOST).map((post) => ({ title: text(post?.title, 1_000), text: text(post?.text, 20_000) }));
  return posts.some((post) => post.title || post.text) ? { posts } : null;
}

const text = (value, most) => (typeof value === "string" ? value.slice(0, most) : "");
