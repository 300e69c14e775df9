/** Which archive replies come from, and which model speaks and why, in words. */
export function spoken({ forum, speaks }) {
  const reason = speaks.reason.replaceAll("`", "");
  return `Replies from ${forum}. ${reason.charAt(0).toUpperCase()}${reason.slice(1)}.`;
}
