// Ghost text for prose in Visual Studio Code, by `rejoinder lsp`. Nothing is sent anywhere but to that process.

"use strict";

const vscode = require("vscode");
const { Client } = require("./client.js");
const { commentAt } = require("./comments.js");

// Languages of prose, and what the server calls each.
const PROSE = new Map(
  Object.entries({
    markdown: "markdown",
    mdx: "markdown",
    plaintext: "plaintext",
    "git-commit": "git-commit",
    scminput: "git-commit",
    mail: "mail",
    eml: "mail",
    latex: "latex",
    tex: "tex",
    restructuredtext: "restructuredtext",
    asciidoc: "asciidoc",
    org: "org",
    typst: "typst",
  }),
);

const settings = () => vscode.workspace.getConfiguration("rejoinder");

/** What is switched on, and what is snoozed. */
class Switches {
  constructor() {
    this.snoozedUntil = 0; // milliseconds since 1970
    this.everywhere = true; // the switch of the page, the browser and all editors, as the server said last
  }

  /** Why the server is not asked in a document, in a word; "" if it is. Where help is off everywhere, it says so itself. */
  silence(document) {
    if (!settings().get("enable")) return "off";
    if (Date.now() < this.snoozedUntil) return "snoozed";
    const language = document?.languageId;
    const here = settings().get("languages")[language];
    if (here === false) return `off for ${language}`;
    return PROSE.has(language) || settings().get("comments") || here ? "" : "no prose";
  }
}

/** What the server knows: the documents in which help was asked for, kept as they are written. */
class Texts {
  constructor() {
    this.known = new Map(); // by URI: the version the server knows
    this.deleting = new Set(); // URIs of documents whose last change took something away
  }

  /** Have a server know the document. */
  open(client, document) {
    const uri = document.uri.toString();
    if (this.known.has(uri)) return;
    this.known.set(uri, document.version);
    const languageId = PROSE.get(document.languageId) ?? "plaintext";
    client.notify("textDocument/didOpen", { textDocument: { uri, languageId, version: document.version, text: document.getText() } });
  }

  changed(client, { document, contentChanges }) {
    const uri = document.uri.toString();
    if (contentChanges.length === 0) return;
    if (contentChanges.every((change) => change.text === "")) this.deleting.add(uri);
    else this.deleting.delete(uri);
    if (!client || !this.known.has(uri)) return;
    this.known.set(uri, document.version);
    client.notify("textDocument/didChange", {
      textDocument: { uri, version: document.version },
      contentChanges: contentChanges.map(({ range: { start, end }, text }) => ({ range: { start, end }, text })),
    });
  }

  saved(client, document) {
    const uri = document.uri.toString();
    if (this.known.has(uri)) client?.notify("textDocument/didSave", { textDocument: { uri } });
  }

  closed(client, document) {
    const uri = document.uri.toString();
    this.deleting.delete(uri);
    if (this.known.delete(uri)) client?.notify("textDocument/didClose", { textDocument: { uri } });
  }
}

/** The server, started when it is first needed, and what is said of it. */
class Server {
  constructor(log, changed) {
    this.log = log;
    this.changed = changed; // is told when it begins and ends
    this.texts = new Texts();
    this.client = null;
    this.failed = ""; // why it is not started again by itself
  }

  start() {
    if (this.client || this.failed) return this.client;
    const command = settings().get("command");
    const options = ["--gate", settings().get("gate"), ...settings().get("block").flatMap((word) => ["--block", word])];
    if (settings().get("learn")) options.push("--learn");
    this.texts.known.clear();
    const client = new Client([...command, ...options], {
      heard: (line) => this.log.appendLine(line),
      ended: (missing, said) => {
        if (this.client !== client) return;
        this.client = null;
        this.failed = missing
          ? `\`${command[0]}\` was not found; install it with \`pip install '.[lsp]'\` in a checkout, or name it in the setting rejoinder.command`
          : `\`${command.join(" ")}\` ended: ${said || "it said nothing"}`;
        this.log.appendLine(this.failed);
        this.changed();
        this.complain(missing);
      },
    });
    this.client = client;
    this.changed();
    return client;
  }

  async complain(missing) {
    const [first, command] = missing ? ["Settings", "workbench.action.openSettings"] : ["Restart", "rejoinder.restart"];
    if (await vscode.window.showWarningMessage(`rejoinder: ${this.failed}`, first)) {
      await vscode.commands.executeCommand(command, ...(missing ? ["rejoinder.command"] : []));
    }
  }

  stop() {
    this.client?.stop();
    this.client = null;
    this.failed = "";
    this.changed();
  }

  /** What a command of the server says; null where there is no server. */
  async run(command, ...given) {
    const client = this.start();
    if (!client) return null;
    await client.ready;
    return client.request("workspace/executeCommand", { command, arguments: given });
  }

  /** What the server answers at a place in a document; null where no help belongs, or none came in time. */
  async ask(method, document, position, cancelled, more = {}) {
    const client = this.start();
    if (!client) return null;
    await client.ready;
    if (cancelled?.isCancellationRequested || this.client !== client) return null;
    if (PROSE.has(document.languageId) || settings().get("languages")[document.languageId]) {
      this.texts.open(client, document);
      const place = { textDocument: { uri: document.uri.toString() }, position };
      return client.request(method, { ...place, ...more }, cancelled);
    }
    return this.askInComment(client, method, document, position, cancelled, more);
  }

  /** A comment is a text of its own, which the server knows for as long as it is asked. */
  async askInComment(client, method, document, position, cancelled, more) {
    const here = document.lineAt(position.line).text;
    if (here.slice(position.character).trim() !== "") return null;
    const line = (row) => document.lineAt(row).text;
    const text = commentAt(document.languageId, line, position.line, here.slice(0, position.character));
    if (text === null) return null;
    const rows = text.split("\n");
    const uri = `untitled:comment-${++this.comments}`;
    client.notify("textDocument/didOpen", { textDocument: { uri, languageId: "plaintext", version: 1, text } });
    const place = { textDocument: { uri }, position: { line: rows.length - 1, character: rows.at(-1).length } };
    const answer = await client.request(method, { ...place, ...more }, cancelled);
    client.notify("textDocument/didClose", { textDocument: { uri } });
    return answer;
  }

  comments = 0;
}

/** The ghost text. */
function ghosts(server, switches, status) {
  return {
    async provideInlineCompletionItems(document, position, context, cancelled) {
      const automatic = context.triggerKind === vscode.InlineCompletionTriggerKind.Automatic;
      if (switches.silence(document) || (automatic && server.texts.deleting.has(document.uri.toString()))) return [];
      const found = await server.ask("textDocument/inlineCompletion", document, position, cancelled, { context: { triggerKind: 2 } });
      const range = new vscode.Range(position, position);
      if (found?.items.length && !switches.everywhere) {
        switches.everywhere = true; // it was switched on elsewhere
        status.show();
      }
      return (found?.items ?? []).map((item) => new vscode.InlineCompletionItem(item.insertText, range));
    },
  };
}

/** The three words, where they are wanted. */
function words(server, switches) {
  return {
    async provideCompletionItems(document, position, cancelled) {
      if (switches.silence(document) || !settings().get("words")) return [];
      if (!PROSE.has(document.languageId)) return [];
      const found = await server.ask("textDocument/completion", document, position, cancelled);
      const items = (found?.items ?? []).map((given) => {
        const item = new vscode.CompletionItem({ label: given.label, description: given.detail }, vscode.CompletionItemKind.Text);
        const { start } = given.textEdit.range;
        item.range = new vscode.Range(start.line, start.character, position.line, position.character);
        item.insertText = given.textEdit.newText;
        item.filterText = given.filterText;
        item.sortText = given.sortText;
        return item;
      });
      return new vscode.CompletionList(items, true);
    },
  };
}

/** The item in the status bar: what is done in the document that is written in. */
class Status {
  constructor(server, switches) {
    this.server = server;
    this.switches = switches;
    this.item = vscode.window.createStatusBarItem("rejoinder", vscode.StatusBarAlignment.Right, 100);
    this.item.name = "rejoinder";
    this.item.command = "rejoinder.menu";
    this.show();
    this.item.show();
  }

  show() {
    const document = vscode.window.activeTextEditor?.document;
    const here = document ? this.switches.silence(document) || (this.switches.everywhere ? "" : "off everywhere") : "";
    const silence = this.server.failed ? "no server" : here;
    this.item.text = silence ? `$(circle-slash) rejoinder: ${silence}` : "$(edit) rejoinder";
    this.item.tooltip = this.server.failed || (silence ? `rejoinder: ${silence}` : "rejoinder finishes your sentences");
    this.item.accessibilityInformation = { label: silence ? `rejoinder: ${silence}` : "rejoinder is on" };
  }
}

/** What the commands do. */
function commands(server, switches, status, log) {
  const set = (name, value) => settings().update(name, value, vscode.ConfigurationTarget.Global);
  const snooze = (minutes) => {
    switches.snoozedUntil = Date.now() + minutes * 60_000;
    clearTimeout(switches.timer);
    if (minutes > 0) switches.timer = setTimeout(() => status.show(), minutes * 60_000 + 50);
    status.show();
  };
  const language = () => vscode.window.activeTextEditor?.document.languageId;
  const found = {
    "rejoinder.toggle": () => set("enable", !settings().get("enable")),
    "rejoinder.everywhere": async () => {
      switches.everywhere = (await server.run("rejoinder.switch"))?.on ?? switches.everywhere;
      status.show();
    },
    "rejoinder.toggleLanguage": () => {
      const name = language();
      const now = settings().get("languages");
      if (name) return set("languages", { ...now, [name]: !(now[name] ?? PROSE.has(name)) });
    },
    "rejoinder.snooze": (minutes = 30) => snooze(minutes),
    "rejoinder.restart": () => {
      server.stop();
      server.start();
    },
    "rejoinder.showLog": () => log.show(true),
    "rejoinder.menu": async () => {
      const name = language();
      const off = name && !(settings().get("languages")[name] ?? PROSE.has(name));
      const choices = [
        Date.now() < switches.snoozedUntil
          ? { label: "Wake up", run: () => snooze(0) }
          : { label: "Snooze for half an hour", run: () => snooze(30) },
        ...(name ? [{ label: `Switch ${off ? "on" : "off"} for ${name}`, run: found["rejoinder.toggleLanguage"] }] : []),
        { label: `Switch ${settings().get("enable") ? "off" : "on"} in this editor`, run: found["rejoinder.toggle"] },
        { label: `Switch ${switches.everywhere ? "off" : "on"} wherever you write`, run: found["rejoinder.everywhere"] },
        { label: "Restart the server", run: found["rejoinder.restart"] },
        { label: "Show the log", run: found["rejoinder.showLog"] },
      ];
      const chosen = await vscode.window.showQuickPick(choices, { title: status.item.tooltip });
      await chosen?.run();
    },
  };
  return Object.entries(found).map(([name, run]) => vscode.commands.registerCommand(name, run));
}

let running = null;

exports.activate = (context) => {
  const log = vscode.window.createOutputChannel("rejoinder");
  const switches = new Switches();
  let status = null;
  const server = (running = new Server(log, () => status?.show()));
  status = new Status(server, switches);
  const look = async () => {
    if (!server.client) return;
    switches.everywhere = (await server.run("rejoinder.isOn"))?.on ?? switches.everywhere;
    status.show();
  };
  const everywhere = { pattern: "**" };
  context.subscriptions.push(
    log,
    status.item,
    vscode.languages.registerInlineCompletionItemProvider(everywhere, ghosts(server, switches, status)),
    vscode.languages.registerCompletionItemProvider(everywhere, words(server, switches)),
    vscode.workspace.onDidChangeTextDocument((event) => server.texts.changed(server.client, event)),
    vscode.workspace.onDidSaveTextDocument((document) => server.texts.saved(server.client, document)),
    vscode.workspace.onDidCloseTextDocument((document) => server.texts.closed(server.client, document)),
    vscode.window.onDidChangeWindowState(({ focused }) => focused && look()), // it may have been turned elsewhere
    vscode.window.onDidChangeActiveTextEditor((editor) => {
      if (editor && PROSE.has(editor.document.languageId) && !switches.silence(editor.document)) server.start();
      status.show();
      look();
    }),
    vscode.workspace.onDidChangeConfiguration((event) => {
      if (["command", "gate", "block", "learn"].some((name) => event.affectsConfiguration(`rejoinder.${name}`))) server.stop();
      status.show();
    }),
    { dispose: () => clearTimeout(switches.timer) },
    ...commands(server, switches, status, log),
  );
  const first = vscode.window.activeTextEditor?.document;
  if (first && PROSE.has(first.languageId) && !switches.silence(first)) server.start();
  look();
};

exports.deactivate = () => running?.stop();
