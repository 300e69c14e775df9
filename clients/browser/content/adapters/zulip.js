/** Zulip in the browser: the messages of the topic that the compose box writes to. */

import { textOf, titled } from "./posts.js";

const NEAREST = 8; // messages

export const zulip = {
  name: "Zulip",
  knows: (page) => page.querySelector("#compose-textarea") !== null && page.querySelector(".message_row, #message-lists-container") !== null,

  posts(page) {
    const topic = page.querySelector("#stream_message_recipient_topic")?.value || page.querySelector(".focused-message-list .stream_topic, .message_header .stream_topic")?.textContent || "";
    const lists = page.querySelector(".focused-message-list") ?? page;
    const messages = [...lists.querySelectorAll(".recipient_row")].filter((row) => !topic || (row.querySelector(".stream_topic")?.textContent ?? topic).trim() === topic.trim());
    const rows = (messages.length ? messages.flatMap((row) => [...row.querySelectorAll(".message_content")]) : [...lists.querySelectorAll(".message_content")]).slice(-NEAREST);
    return titled(topic.trim(), rows.map((row) => textOf(row)));
  },
};
