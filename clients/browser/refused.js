/** Places where this must not help, each with the reason, in one line. */

const SITES = [
  { host: /(^|\.)news\.ycombinator\.com$/u, reason: "Hacker News asks that people post no generated or AI-edited text there: it is for conversation between humans." },
];

/** Why no help is given on a site, else null. */
export const refusedSite = (host) => SITES.find((site) => site.host.test(host))?.reason ?? null;
