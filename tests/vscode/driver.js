// The extension in a stand-in for the editor: it is told what is typed, asks as the editor asks, and says what it is answered.
// node driver.js EXTENSION SETTINGS STEPS      both JSON; a step is [what, ...]

"use strict";

const fs = require("node:fs");
const Module = require("node:module");
const path = require("node:path");

const [extension, settings, steps] = [process.argv[2], JSON.parse(process.argv[3]), JSON.parse(process.argv[4])];
const heard = { change: [], save: [], close: [], active: [], state: [], configuration: [] };
const on = (name) => (listener) => (heard[name].push(listener), { dispose() {} });
const registered = {};
const told = [];
const item = { show() {} };

class Position {
  constructor(line, character) {
    Object.assign(this, { line, character });
  }
}
class Range {
  constructor(start, end, line, character) {
    this.start = line === undefined ? start : new Position(start, end);
    this.end = line === undefined ? end : new Position(line, character);
  }
  toJSON() {
    return [this.start, this.end]; // as the editor's own does
  }
}

const window = {
  activeTextEditor: undefined,
  createOutputChannel: () => ({ appendLine: (line) => told.push(`log: ${line}`), show() {} }),
  createStatusBarItem: () => item,
  onDidChangeActiveTextEditor: on("active"),
  onDidChangeWindowState: on("state"),
  showWarningMessage: async (text) => void told.push(text),
};
const update = async (name, value) => {
  settings[name] = value;
  for (const listener of heard.configuration) listener({ affectsConfiguration: (asked) => asked === `rejoinder.${name}` });
};
const vscode = {
  Position,
  Range,
  window,
  ConfigurationTarget: { Global: 1 },
  CompletionItem: class {
    constructor(label) {
      this.label = label;
    }
  },
  CompletionItemKind: { Text: 0 },
  CompletionList: class {
    constructor(items) {
      this.items = items;
    }
  },
  InlineCompletionItem: class {
    constructor(insertText, range) {
      Object.assign(this, { insertText, range });
    }
  },
  InlineCompletionTriggerKind: { Invoke: 0, Automatic: 1 },
  StatusBarAlignment: { Right: 2 },
  commands: { registerCommand: (name, run) => ((registered[name] = run), { dispose() {} }), executeCommand: async () => {} },
  languages: {
    registerInlineCompletionItemProvider: (_, provider) => ((registered.ghost = provider), { dispose() {} }),
    registerCompletionItemProvider: (_, provider) => ((registered.words = provider), { dispose() {} }),
  },
  workspace: {
    getConfiguration: () => ({ get: (name) => settings[name], update }),
    onDidChangeTextDocument: on("change"),
    onDidSaveTextDocument: on("save"),
    onDidCloseTextDocument: on("close"),
    onDidChangeConfiguration: on("configuration"),
  },
};

class Document {
  constructor(languageId, text) {
    Object.assign(this, { languageId, text, version: 1, uri: { toString: () => `file:///${languageId}` } });
  }
  getText() {
    return this.text;
  }
  lineAt(row) {
    return { text: this.text.split("\n")[row] };
  }
  get end() {
    const rows = this.text.split("\n");
    return new Position(rows.length - 1, rows.at(-1).length);
  }
  change(cut, added) {
    const end = this.end;
    const start = new Position(end.line, end.character - cut);
    this.text = this.text.slice(0, this.text.length - cut) + added;
    this.version += 1;
    for (const listener of heard.change) listener({ document: this, contentChanges: [{ range: new Range(start, end), text: added }] });
  }
}

const found = Module._resolveFilename;
Module._resolveFilename = (name, ...rest) => (name === "vscode" ? "vscode" : found(name, ...rest));
require.cache.vscode = { id: "vscode", filename: "vscode", loaded: true, exports: vscode };

const never = { isCancellationRequested: false, onCancellationRequested() {} };
const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
const doings = {
  open(language, text) {
    window.activeTextEditor = { document: new Document(language, text) };
    for (const listener of heard.active) listener(window.activeTextEditor);
  },
  type: (text) => window.activeTextEditor.document.change(0, text),
  delete: (count) => window.activeTextEditor.document.change(count, ""),
  save() {
    for (const listener of heard.save) listener(window.activeTextEditor.document);
  },
  focus() {
    for (const listener of heard.state) listener({ focused: true });
  },
  remove: (file) => fs.rmSync(file),
  run: (name, ...more) => registered[name](...more),
  async ghost() {
    const { document } = window.activeTextEditor;
    const items = await registered.ghost.provideInlineCompletionItems(document, document.end, { triggerKind: 1 }, never);
    return items.map((one) => one.insertText);
  },
  async words() {
    const { document } = window.activeTextEditor;
    return (await registered.words.provideCompletionItems(document, document.end, never)).items ?? [];
  },
  async until(what) {
    for (;;) {
      const answer = await doings[what]();
      if (answer.length > 0) return answer;
      await pause(50);
    }
  },
  async told() {
    while (told.length === 0) await pause(20);
    return told;
  },
  status: () => item.text,
};

(async () => {
  const { activate, deactivate } = require(path.join(extension, "extension.js"));
  activate({ subscriptions: [] });
  const answers = [];
  for (const [what, ...more] of steps) answers.push((await doings[what](...more)) ?? null);
  deactivate();
  process.stdout.write(JSON.stringify(answers));
})();
