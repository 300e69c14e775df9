/** Pairing with the server: a secret of our own, a code for the person to type there, a token that is kept. */

import { ask } from "./server.js";
import { keep } from "./state.js";

/** Ask to be let in. @returns {Promise<{secret: string, code: string, seconds: number}>} */
export async function begin() {
  const secret = base64(crypto.getRandomValues(new Uint8Array(32)));
  const name = /Firefox/.test(navigator.userAgent) ? "Firefox" : /Edg\//.test(navigator.userAgent) ? "Edge" : "Chromium";
  return { secret, ...(await ask("/v1/pair", { secret, name })) };
}

/** Whether the code was confirmed by now; the token is kept then. */
export async function claim(secret) {
  const { token } = await ask("/v1/pair/claim", { secret });
  if (token !== null) await keep({ token });
  return token !== null;
}

const base64 = (bytes) => btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
