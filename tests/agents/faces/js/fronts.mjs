// The official clients of front ends against a live server: node fronts.mjs AGENT_URL TOKEN
// The model behind it asks for leave to make a record, and then says "It is done."
import assert from "node:assert/strict";
import { HttpAgent } from "@ag-ui/client";
import { DefaultChatTransport, readUIMessageStream } from "ai";

const [agent, token] = process.argv.slice(2);
const headers = { Authorization: `Bearer ${token}` };

// Vercel's AI SDK: a question, the request for leave, the person's yes, the answer.
const transport = new DefaultChatTransport({ api: `${agent}/vercel`, headers });
const question = { id: "1", role: "user", parts: [{ type: "text", text: "Note the passport of Ada" }] };
const send = async (messages, message) => {
  const sent = { chatId: "javascript", messages, trigger: "submit-message", messageId: undefined };
  const stream = await transport.sendMessages(sent);
  let last;
  for await (const each of readUIMessageStream({ stream, message })) last = each;
  return last;
};
const asking = await send([question]);
const part = asking.parts.find((each) => each.type === "tool-create_item");
assert.equal(part.state, "approval-requested");
part.state = "approval-responded";
part.approval = { id: part.approval.id, approved: true };
const done = await send([question, asking], asking);
assert.equal(done.parts.find((each) => each.type === "tool-create_item").state, "output-available");
assert.equal(done.parts.findLast((each) => each.type === "text").text, "It is done.");
part.state = "approval-responded";
await assert.rejects(send([question, asking], asking));

// AG-UI: the same as an interrupt that is resumed.
const client = new HttpAgent({ url: `${agent}/ag-ui`, headers, threadId: "javascript-ag-ui" });
client.messages = [{ id: "1", role: "user", content: "Note the passport of Ada" }];
await client.runAgent();
const [interrupt] = client.pendingInterrupts;
assert.equal(interrupt.reason, "tool_call");
const resume = [{ interruptId: interrupt.id, status: "resolved", payload: { approved: true } }];
await client.runAgent({ resume });
assert.equal(client.pendingInterrupts.length, 0);
assert.equal(client.messages.at(-1).content, "It is done.");
console.log("ok");
