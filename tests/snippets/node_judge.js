// Runs beside a snippet: keeps what it makes, and asks on a connection of its own
// whether the values arrived. Prints one line of JSON: what is wrong, or "".
"use strict";

const http = require("node:http");
const https = require("node:https");
const { syncBuiltinESMExports } = require("node:module");

const PATIENCE = 5000; // milliseconds for one request to ourselves
// nodejs.org/api/http.html: http.createServer, new Agent; socket.connect() for the rest.
const OF_SERVERS = new Set([
  "connectionsCheckingInterval", "headersTimeout", "highWaterMark", "insecureHTTPParser",
  "joinDuplicateHeaders", "keepAlive", "keepAliveInitialDelay", "keepAliveTimeout",
  "maxHeaderSize", "noDelay", "requestTimeout", "requireHostHeader",
  "rejectNonStandardBodyWrites", "uniqueHeaders", "IncomingMessage", "ServerResponse",
]);
const OF_AGENTS = new Set([
  "agentKeepAliveTimeoutBuffer", "keepAlive", "keepAliveMsecs", "maxFreeSockets",
  "maxSockets", "maxTotalSockets", "scheduling", "timeout", "noDelay", "family",
  "host", "localAddress", "lookup", "rejectUnauthorized", "ca", "cert", "key",
]);
// github.com/nodejs/undici docs/docs/api: Client.md, Pool.md, Agent.md.
const OF_UNDICI = new Set([
  "bodyTimeout", "headersTimeout", "keepAliveMaxTimeout", "keepAliveTimeout",
  "keepAliveTimeoutThreshold", "pipelining", "connect", "connections", "maxHeaderSize",
  "maxResponseSize", "strictContentLength", "clientTtl",
]);

const made = { servers: [], agents: [], pools: 0, does: false, wrong: "" };

function complain(text) {
  made.wrong ||= text;
}

function known(options, names, of) {
  for (const name of Object.keys(options ?? {})) {
    if (!names.has(name)) complain(`${of} has no option ${name}`);
  }
}

// A value may be Node's default, which differs from version to version: what counts is
// that the snippet sets it.
function watched(server) {
  for (const name of Object.keys(server).filter((each) => !each.startsWith("_"))) {
    let value = server[name];
    Object.defineProperty(server, name, {
      configurable: true,
      enumerable: true,
      get: () => value,
      set(next) { value = next; made.does = true; },
    });
  }
  return server;
}

function keeping(module) {
  const { Agent, createServer } = module;
  module.Agent = new Proxy(Agent, {
    construct(target, [options], as) {
      known(options, OF_AGENTS, "Agent");
      const agent = Reflect.construct(target, [options], as);
      made.agents.push(options ?? {});
      return agent;
    },
  });
  module.createServer = (...words) => {
    if (typeof words[0] === "object") known(words[0], OF_SERVERS, "createServer");
    const server = createServer(...words);
    // Ports are no part of what is judged: the judge starts it where nobody listens.
    const listen = server.listen;
    server.listen = function () { return this; };
    made.servers.push([server, listen]);
    made.does ||= typeof words[0] === "object" && Object.keys(words[0]).length > 0;
    return watched(server);
  };
  return createServer;
}

const fresh = keeping(http)();
keeping(https);
syncBuiltinESMExports();

globalThis.__undici = class {
  constructor(...words) {
    made.pools += 1;
    known(words.find((each) => typeof each === "object"), OF_UNDICI, "undici");
  }
};
globalThis.__app = { listen: () => http.createServer().listen(), use() {}, get() {} };

function patiently(promise, what) {
  const late = new Promise((_, no) =>
    setTimeout(() => no(new Error(`${what} came to no end`)), PATIENCE).unref());
  return Promise.race([promise, late]);
}

function ask(port, agent) {
  return new Promise((yes, no) => {
    const asked = http.get({ port, host: "127.0.0.1", agent }, (response) => {
      response.on("end", () => setImmediate(yes, response.headers)).resume();
    });
    asked.on("error", no);
  });
}

// The server that a snippet was given has an application, which answers at once: what
// a snippet wants to say before, it has to say before.
const answers = (_, answer) => {
  if (answer.writableEnded) complain("this leaves the application nothing to answer");
  else answer.end("ok");
};
globalThis.__given = (server) => server.on("request", answers);

function quick(server) {
  if (!server.listenerCount("request")) server.on("request", answers);
}

async function judgeServer([server, listen]) {
  delete server.listen;
  for (const name of Object.keys(server)) {
    if (!(name in fresh)) complain(`http.Server of Node ${process.version} has no ${name}`);
  }
  for (const name of ["keepAliveTimeout", "headersTimeout", "requestTimeout", "timeout"]) {
    if (!Number.isFinite(server[name]) || server[name] < 0) {
      complain(`server.${name} is ${server[name]}; allowed is a number of milliseconds`);
    }
  }
  made.does ||= hears(server);
  if (made.wrong || server instanceof https.Server) return;
  quick(server);
  await new Promise((yes) => listen.call(server, 0, "127.0.0.1", yes));
  const agent = new http.Agent.prototype.constructor({ keepAlive: true });
  const headers = await patiently(ask(server.address().port, agent), "a request");
  const closes = headers.connection === "close";
  const seconds = Math.floor(server.keepAliveTimeout / 1000);
  const told = `timeout=${seconds}`;
  if (seconds && !closes && !(headers["keep-alive"] ?? "").includes(told)) {
    complain(`server.keepAliveTimeout should tell clients ${told}, they are told ` +
      `${headers["keep-alive"]}`);
  }
  if (server.maxRequestsPerSocket && !closes) {
    const max = `max=${server.maxRequestsPerSocket}`;
    if (!(headers["keep-alive"] ?? "").includes(max)) complain(`clients are not told ${max}`);
  }
}

function hears(server) {
  const names = server.eventNames();
  const mine = (name) => server.listeners(name).filter((each) => each !== answers).length;
  return names.some((name) => fresh.listenerCount(name) !== mine(name));
}

async function judgeAgent(options) {
  http.createServer((_, answer) => answer.end("ok"));
  const [server, listen] = made.servers.pop();
  server.keepAliveTimeout = 0; // or its hint, if shorter, would win over the agent's time
  await new Promise((yes) => listen.call(server, 0, "127.0.0.1", yes));
  const agent = new http.Agent({ ...options, ca: undefined });
  made.agents.pop();
  await patiently(ask(server.address().port, agent), "a request");
  const [idle] = Object.values(agent.freeSockets).flat();
  if (!idle) return complain("this Agent keeps no connection: keepAlive is not true");
  const expected = options.timeout ?? 0;
  if ((idle.timeout ?? 0) !== expected) {
    complain(`an idle connection of this Agent should end after ${expected} ms, ` +
      `it ends after ${idle.timeout}`);
  }
}

globalThis.__judge = async () => {
  const handles = ["SIGTERM", "SIGINT"].some((name) => process.listenerCount(name));
  const { servers, agents } = made;
  made.does ||= handles || agents.length > 0 || made.pools > 0;
  try {
    for (const each of [...servers]) await judgeServer(each);
    for (const each of [...agents]) await judgeAgent(each);
  } catch (error) {
    complain(error.message);
  }
  if (!made.does) complain("this sets nothing");
  console.log(`\n@judge ${JSON.stringify(made.wrong)}`);
  process.exit(0);
};
