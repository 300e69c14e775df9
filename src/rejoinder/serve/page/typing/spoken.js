/** Which archive replies come from, and which model finishes sentences and why, in words. */
export function spoken({ forum, speaks }) {
  const [who, ...why] = speaks.reason.replaceAll("`", "").split(/,? speaks: /u);
  const model = who === "the package" ? "the models in the package" : who;
  const finished = why.length ? `Sentences are finished by ${model}: ${why.join(" speaks: ")}.` : `${who}.`;
  return `Replies come from ${forum === "sample" ? "the sample in the package" : forum}. ${finished.charAt(0).toUpperCase()}${finished.slice(1)}`;
}
