// Runs the operations on both sides with the newest Node SDK; results as JSON on standard output.
//
// Reads the plan from standard input. The names and shapes of results are those of driver.py and
// operations.py.

import { readFileSync } from "node:fs";
import OpenAI, { AzureOpenAI } from "openai";
import { VERSION } from "openai/version";

const QUESTION = "Why is the sky blue?";
const SHORT = { max_tokens: 24, seed: 5 };
const PARAMETERS = {
  type: "object",
  properties: { city: { type: "string" }, days: { type: "integer" } },
  required: ["city", "days"],
  additionalProperties: false,
};
const TOOL = { name: "weather", description: "Weather of a city", parameters: PARAMETERS, strict: true };
const TOOLS = { tools: [{ type: "function", function: TOOL }], tool_choice: "required" };
const RESPONSE_TOOLS = { tools: [{ type: "function", ...TOOL }], tool_choice: "required" };
const SCHEMA = {
  name: "answer",
  strict: true,
  schema: {
    type: "object",
    properties: { title: { type: "string" }, points: { type: "integer" } },
    required: ["title", "points"],
    additionalProperties: false,
  },
};
const PIXEL =
  "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk" +
  "+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
const IMAGE = [
  { type: "text", text: "What is this?" },
  { type: "image_url", image_url: { url: PIXEL, detail: "low" } },
];
const LONG = "many words of one question ".repeat(150);
const JSON_FORMAT = { response_format: { type: "json_schema", json_schema: SCHEMA } };
const TEXT_FORMAT = { text: { format: { type: "json_schema", ...SCHEMA } } };
const USAGE = { stream: true, stream_options: { include_usage: true } };
const UNKNOWN = { model: "no-such-model" };
const NO_RESPONSE = "resp_" + "0".repeat(48);

class Side {
  constructor(clients, models) {
    this.clients = clients;
    this.models = models;
  }

  chat({ content = QUESTION, target = "chat", ...options } = {}) {
    const messages = [{ role: "user", content }];
    const body = { model: this.models[target], messages, ...SHORT, ...options };
    return this.clients[target].chat.completions.create(body);
  }

  complete(options = {}) {
    const body = { model: this.models.chat, prompt: QUESTION, ...SHORT, ...options };
    return this.clients.chat.completions.create(body);
  }

  embed(options = {}) {
    const body = { model: this.models.embeddings, input: QUESTION, ...options };
    return this.clients.embeddings.embeddings.create(body);
  }

  respond({ content = QUESTION, target = "chat", ...options } = {}) {
    const body = { model: this.models[target], input: content, max_output_tokens: 24, ...options };
    return this.clients[target].responses.create(body);
  }
}

async function got(promise) {
  const value = await promise;
  return { value: { ...value }, has_request_id: Boolean(value?._request_id) };
}

async function items(promise) {
  const all = [];
  for await (const item of await promise) all.push(item);
  return all;
}

async function withResponse(promise) {
  const { data, response, request_id } = await promise.withResponse();
  return {
    status_code: response.status,
    content_type: response.headers.get("content-type"),
    has_request_id: Boolean(request_id),
    value: data,
  };
}

async function helped(runner, final) {
  const events = [];
  for await (const event of runner) events.push(event);
  return { events, final: await runner[final]() };
}

async function failure(call) {
  try {
    await call();
  } catch (error) {
    return described(error);
  }
  return { error: null };
}

function described(error) {
  const shown = { error: error.constructor.name };
  if (!(error instanceof OpenAI.OpenAIError)) return { ...shown, crash: String(error) };
  return {
    ...shown,
    status_code: error.status ?? null,
    code: error.code ?? null,
    param: error.param ?? null,
    type: error.type ?? null,
    body: error.error ?? null,
    has_request_id: Boolean(error.requestID),
  };
}

// The SDK's own fields of an entry with their types; Azure adds fields of its own.
function modelShape(entry) {
  return ["id", "object", "created", "owned_by"].map((name) => `${name}: ${typeof entry[name]}`);
}

const chatBody = (side) => ({
  model: side.models.chat,
  messages: [{ role: "user", content: QUESTION }],
  ...SHORT,
});

const OPERATIONS = {
  chat: (side) => got(side.chat()),
  "chat.stream": (side) => items(side.chat({ stream: true })),
  "chat.stream.usage": (side) => items(side.chat(USAGE)),
  "chat.stream.helper": (side) =>
    helped(
      side.clients.chat.chat.completions.stream({ ...chatBody(side), max_tokens: 60 }),
      "finalChatCompletion",
    ),
  "chat.n": (side) => got(side.chat({ n: 2 })),
  "chat.n.stream": (side) => items(side.chat({ n: 2, stream: true })),
  "chat.tools": (side) => got(side.chat(TOOLS)),
  "chat.tools.stream": (side) => items(side.chat({ stream: true, ...TOOLS })),
  "chat.json_schema": (side) => got(side.chat(JSON_FORMAT)),
  "chat.json_schema.stream": (side) => items(side.chat({ stream: true, ...JSON_FORMAT })),
  "chat.parse": (side) =>
    got(
      side.clients.chat.chat.completions.parse({
        ...chatBody(side),
        max_tokens: undefined,
        ...JSON_FORMAT,
      }),
    ),
  "chat.logprobs": (side) => got(side.chat({ logprobs: true, top_logprobs: 2 })),
  "chat.logprobs.stream": (side) => items(side.chat({ logprobs: true, stream: true })),
  "chat.image": (side) => got(side.chat({ content: IMAGE })),
  "chat.image.stream": (side) => items(side.chat({ content: IMAGE, stream: true })),
  "chat.async_filter.stream": (side) => items(side.chat({ content: "[[async_filter]]", stream: true })),
  "chat.raw_response": (side) => withResponse(side.chat()),
  completions: (side) => got(side.complete()),
  "completions.stream": (side) => items(side.complete({ stream: true })),
  "completions.many": (side) => got(side.complete({ prompt: ["One", "Two"], n: 2, logprobs: 1 })),
  embeddings: (side) => got(side.embed()),
  "embeddings.float": (side) => got(side.embed({ encoding_format: "float", dimensions: 64 })),
  "embeddings.base64": (side) => got(side.embed({ encoding_format: "base64", dimensions: 64 })),
  "embeddings.many": (side) => got(side.embed({ input: ["One", "Two", "Three"] })),
  "embeddings.tokens": (side) => got(side.embed({ input: [[1, 2, 3], [4, 5]] })),
  responses: (side) => got(side.respond()),
  "responses.stream": (side) => items(side.respond({ stream: true })),
  "responses.stream.helper": (side) =>
    helped(
      side.clients.chat.responses.stream({
        model: side.models.chat,
        input: QUESTION,
        max_output_tokens: 60,
      }),
      "finalResponse",
    ),
  "responses.tools": (side) => got(side.respond(RESPONSE_TOOLS)),
  "responses.tools.stream": (side) => items(side.respond({ stream: true, ...RESPONSE_TOOLS })),
  "responses.json_schema": (side) => got(side.respond(TEXT_FORMAT)),
  "responses.parse": (side) =>
    got(
      side.clients.chat.responses.parse({ model: side.models.chat, input: QUESTION, ...TEXT_FORMAT }),
    ),
  "responses.not_stored": (side) => got(side.respond({ store: false })),
  "responses.raw_response": (side) => withResponse(side.respond()),
  "responses.retrieve": async (side) => {
    const made = await side.respond();
    const api = side.clients.chat.responses;
    const page = await api.inputItems.list(made.id);
    return [made, await got(api.retrieve(made.id)), page.data];
  },
  "responses.stream.retrieve": async (side) => {
    const events = await items(side.respond({ stream: true }));
    return got(side.clients.chat.responses.retrieve(events[0].response.id));
  },
  "responses.previous": async (side) => {
    const first = await side.respond();
    const night = { content: "And at night?", previous_response_id: first.id };
    const second = await side.respond(night);
    const dawn = { content: "And at dawn?", previous_response_id: second.id, stream: true };
    return [first, second, await items(side.respond(dawn))];
  },
  "responses.delete": async (side) => {
    const made = await side.respond();
    const api = side.clients.chat.responses;
    const deleted = await api.delete(made.id);
    return [deleted ?? null, await failure(() => api.retrieve(made.id))];
  },
  "responses.background": async (side) => {
    const made = await side.respond({ background: true });
    return [made, await got(side.clients.chat.responses.retrieve(made.id))];
  },
  "responses.cancel": async (side) => {
    const made = await side.respond({ target: "slow", background: true });
    const api = side.clients.slow.responses;
    return [made, await api.cancel(made.id), await got(api.retrieve(made.id))];
  },
  models: async (side) => {
    const page = await side.clients.chat.models.list();
    return {
      type: page.constructor.name,
      object: page.object,
      entries: [...new Set(page.data.map((entry) => String(modelShape(entry))))].sort(),
      has_mine: page.data.some((entry) => entry.id === side.models.chat),
    };
  },
  "models.retrieve": async (side) => {
    const entry = await side.clients.chat.models.retrieve(side.models.chat);
    const has_request_id = Boolean(entry._request_id);
    return { name: entry.id, shape: modelShape(entry), has_request_id };
  },
  "errors.unknown_model.chat": (side) => got(side.chat(UNKNOWN)),
  "errors.unknown_model.chat.stream": (side) => items(side.chat({ stream: true, ...UNKNOWN })),
  "errors.unknown_model.embeddings": (side) => got(side.embed(UNKNOWN)),
  "errors.unknown_model.responses": (side) => got(side.respond(UNKNOWN)),
  "errors.unknown_model.retrieve": (side) => got(side.clients.chat.models.retrieve("no-such-model")),
  "errors.content_filter.chat": (side) => got(side.chat({ content: "[[content_filter]]" })),
  "errors.content_filter.stream": (side) =>
    items(side.chat({ content: "[[content_filter]]", stream: true })),
  "errors.content_filter.responses": (side) => got(side.respond({ content: "[[content_filter]]" })),
  "errors.content_filter.newer": (side) => got(side.chat({ content: "[[content_filter_alt]]" })),
  "errors.too_long.chat": (side) => got(side.chat({ content: LONG, target: "small" })),
  "errors.too_long.stream": (side) =>
    items(side.chat({ content: LONG, target: "small", stream: true })),
  "errors.too_long.responses": (side) => got(side.respond({ content: LONG, target: "small" })),
  "errors.wrong_key.chat": (side) =>
    got(side.clients.stranger.chat.completions.create(chatBody(side))),
  "errors.wrong_key.models": (side) => got(side.clients.stranger.models.list()),
  "errors.previous_response_not_found": (side) =>
    got(side.respond({ previous_response_id: NO_RESPONSE })),
  "errors.response_not_found": (side) => got(side.clients.chat.responses.retrieve(NO_RESPONSE)),
  "errors.cancel_synchronous": async (side) => {
    const made = await side.respond();
    return got(side.clients.chat.responses.cancel(made.id));
  },
  "errors.no_messages": (side) => got(side.chat({ messages: [] })),
  "errors.max_tokens_zero": (side) => got(side.chat({ max_tokens: 0 })),
  "errors.max_tokens_text": (side) => got(side.chat({ max_tokens: "many" })),
  "errors.not_supported": (side) =>
    got(side.clients.chat.embeddings.create({ model: side.models.chat, input: QUESTION })),
};

function client(plan, pair, url, apiKey) {
  const usual = { apiKey, maxRetries: 0, timeout: 20_000 };
  if (pair.client === "OpenAI") return new OpenAI({ ...usual, baseURL: url });
  return new AzureOpenAI({ ...usual, endpoint: url, apiVersion: plan.api_version });
}

function side(plan, pair, { urls, key }) {
  const entries = Object.entries(urls).map(([target, url]) => [target, client(plan, pair, url, key)]);
  const clients = Object.fromEntries(entries);
  clients.stranger = client(plan, pair, urls.chat, "a-key-that-nobody-has");
  return new Side(clients, pair.models);
}

async function outcome(operation, on) {
  try {
    return await operation(on);
  } catch (error) {
    return described(error);
  }
}

const plan = JSON.parse(readFileSync(0, "utf8"));
const results = [];
for (const pair of plan.pairs) {
  const gateway = side(plan, pair, pair.gateway);
  const direct = side(plan, pair, pair.direct);
  for (const [name, operation] of Object.entries(OPERATIONS)) {
    results.push({
      client: pair.client,
      kind: "promise",
      upstream: pair.upstream,
      operation: name,
      gateway: await outcome(operation, gateway),
      direct: await outcome(operation, direct),
    });
  }
}
const sdk = `node ${VERSION}`;
process.stdout.write(JSON.stringify({ sdk, results }));
