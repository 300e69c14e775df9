// A small client of the Language Server Protocol over the standard streams of a process. It knows nothing of the editor.

"use strict";

const { spawn } = require("node:child_process");

/** Messages out of a stream of bytes: feed it what comes, it gives what is whole. */
class Frames {
  constructor() {
    this.rest = Buffer.alloc(0);
  }

  *feed(bytes) {
    this.rest = Buffer.concat([this.rest, bytes]);
    for (;;) {
      const head = this.rest.indexOf("\r\n\r\n");
      if (head < 0) return;
      const length = /^content-length: *(\d+)\r?$/im.exec(this.rest.toString("latin1", 0, head));
      const begin = head + 4;
      const end = begin + (length ? Number(length[1]) : 0);
      if (this.rest.length < end) return;
      const body = this.rest.toString("utf8", begin, end);
      this.rest = this.rest.subarray(end);
      if (length) yield JSON.parse(body);
    }
  }
}

/** A server that runs. `heard` is given its log, `ended` what it said last when it ends by itself or cannot be started. */
class Client {
  constructor(command, { heard, ended }) {
    this.waiting = new Map(); // by the number of a request: what to do with its answer
    this.number = 0;
    this.said = "";
    this.heard = heard;
    this.process = spawn(command[0], command.slice(1), { stdio: "pipe", windowsHide: true });
    const frames = new Frames();
    this.process.stdout.on("data", (bytes) => {
      for (const message of frames.feed(bytes)) this.receive(message);
    });
    this.process.stderr.on("data", (bytes) => {
      this.said = (this.said + bytes).slice(-2000);
    });
    this.process.stdin.on("error", () => {}); // it has ended: "close" says so
    const over = (missing) => {
      const told = this.over || this.stopped;
      this.over = true;
      for (const answer of this.waiting.values()) answer(null);
      this.waiting.clear();
      if (!told) ended(missing, this.said.trim());
    };
    this.process.on("error", (error) => over(error.code === "ENOENT"));
    this.process.on("close", () => over(false));
    this.ready = this.request("initialize", { processId: process.pid, rootUri: null, capabilities: {} }).then(() =>
      this.notify("initialized", {}),
    );
  }

  send(message) {
    if (this.over) return;
    const body = Buffer.from(JSON.stringify({ jsonrpc: "2.0", ...message }));
    this.process.stdin.write(Buffer.concat([Buffer.from(`Content-Length: ${body.length}\r\n\r\n`), body]));
  }

  notify(method, params) {
    this.send({ method, params });
  }

  /** The result; null if there is none, if the server has ended, or if `cancelled` (an editor's token) says so first. */
  request(method, params, cancelled) {
    if (this.over) return Promise.resolve(null);
    const id = ++this.number;
    return new Promise((answer) => {
      this.waiting.set(id, answer);
      this.send({ id, method, params });
      cancelled?.onCancellationRequested(() => {
        if (!this.waiting.delete(id)) return;
        this.notify("$/cancelRequest", { id });
        answer(null);
      });
    });
  }

  receive({ id, method, params, result }) {
    if (method === "window/logMessage") this.heard(params.message);
    if (method !== undefined) {
      if (id !== undefined) this.send({ id, error: { code: -32601, message: `${method} is not known here` } });
      return;
    }
    this.waiting.get(id)?.(result ?? null);
    this.waiting.delete(id);
  }

  /** Have it end; nothing is said of it then. */
  stop() {
    this.stopped = true;
    if (this.over) return;
    this.send({ id: ++this.number, method: "shutdown" });
    this.notify("exit");
    this.process.stdin.end();
  }
}

module.exports = { Client, Frames };
