// The official JavaScript client against a live server: node openai.mjs BASE_URL KEY VAULT_ID QUESTION
import assert from "node:assert/strict";
import OpenAI, { toFile } from "openai";

const [baseURL, apiKey, vaultId, question] = process.argv.slice(2);
const ai = new OpenAI({ baseURL, apiKey, maxRetries: 0, timeout: 120_000 });
const model = "lifevault/assistant";
const messages = [{ role: "user", content: question }];
const tools = [{ type: "function", function: { name: "weather", parameters: { type: "object", properties: {} } } }];

const models = [];
for await (const each of ai.models.list()) models.push(each.id);
assert.ok(models.includes(model));

const whole = await ai.chat.completions.create({ model, messages, tools });
const reply = whole.choices[0].message;
assert.match(reply.content, /1 March 2027/);
assert.ok(reply.annotations.length > 0);
assert.ok(reply.annotations.every((each) => each.url_citation.quote));

const options = { include_usage: true };
const stream = await ai.chat.completions.create({ model, messages, stream: true, stream_options: options });
let text = "";
let usage;
for await (const chunk of stream) {
  text += chunk.choices[0]?.delta?.content ?? "";
  usage = chunk.usage ?? usage;
}
assert.equal(text, reply.content);
assert.equal(usage.total_tokens, 0);

const helped = ai.chat.completions.stream({ model, messages });
assert.equal(await helped.finalContent(), text);

const made = await ai.responses.create({ model, input: question });
assert.equal(made.output_text, text);
assert.equal(made.output[0].content[0].annotations[0].type, "file_citation");
const kinds = [];
const events = ai.responses.stream({ model, input: question, previous_response_id: made.id });
for await (const event of events) kinds.push(event.type);
assert.equal(kinds[0], "response.created");
assert.equal(kinds.at(-1), "response.completed");
assert.ok((await events.finalResponse()).output_text);
assert.equal((await ai.responses.retrieve(made.id)).id, made.id);
await ai.responses.delete(made.id);

const vectors = await ai.embeddings.create({ model: "lifevault/embedder", input: ["a", "b"] });
assert.equal(vectors.data.length, 2);
assert.ok(Math.abs(Math.hypot(...vectors.data[0].embedding) - 1) < 0.01);

const bytes = Buffer.from("The excess is 777 euros.\n");
const file = await ai.files.create({ file: await toFile(bytes, "note.txt"), purpose: "assistants" });
assert.equal(file.bytes, bytes.length);
assert.equal(await (await ai.files.content(file.id)).text(), bytes.toString());
const stores = [];
for await (const store of ai.vectorStores.list()) stores.push(store.id);
assert.deepEqual(stores, [vaultId]);
const found = await ai.vectorStores.search(vaultId, { query: "When does the insurance end?" });
assert.ok(found.data[0].content[0].text.length > 0);
assert.ok((await ai.files.delete(file.id)).deleted);

await assert.rejects(ai.files.retrieve(file.id), (error) => error.status === 404 && error.code === "document_not_found");
await assert.rejects(ai.chat.completions.create({ model: "gpt-4o", messages }), OpenAI.NotFoundError);
const nobody = new OpenAI({ baseURL, apiKey: "lv_wrong", maxRetries: 0 });
await assert.rejects(nobody.models.list(), OpenAI.AuthenticationError);
console.log("ok");
