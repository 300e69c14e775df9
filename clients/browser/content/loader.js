/* Scripts in pages cannot be modules themselves: this one fetches the module, from the extension and nowhere else. */
if (!globalThis.rejoinder) {
  globalThis.rejoinder = import(chrome.runtime.getURL("content/main.js"));
}
