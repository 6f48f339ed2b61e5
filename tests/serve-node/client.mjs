// OpenAI's own client against a running server: does what the arguments say and writes one JSON value.
//
//     node client.mjs ADDRESS KEY WHAT JSON-OF-THE-REQUEST

import OpenAI from "openai";

const [address, key, what, text] = process.argv.slice(2);
const request = text ? JSON.parse(text) : {};
const client = new OpenAI({ baseURL: address + "v1", apiKey: key, maxRetries: 0 });

async function collect(stream) {
  const events = [];
  for await (const event of stream) events.push(event);
  return events;
}

const does = {
  models: async () => (await client.models.list()).data,
  completion: () => client.completions.create(request),
  "completion-stream": async () => collect(await client.completions.create({ ...request, stream: true })),
  chat: () => client.chat.completions.create(request),
  "chat-stream": async () => collect(await client.chat.completions.create({ ...request, stream: true, stream_options: { include_usage: true } })),
  embeddings: () => client.embeddings.create(request),
  async "leave-early"() { // reads some events and goes, in the middle of the answer
    const stream = await client.completions.create({ ...request, stream: true });
    let count = 0;
    for await (const _ of stream) if (++count === 5) break;
    return count;
  },
};

let result;
try {
  result = await does[what]();
} catch (error) {
  result = { error: error.constructor.name, status: error.status, code: error.code, param: error.param, type: error.type, message: error.message };
}

console.log(JSON.stringify(result));
