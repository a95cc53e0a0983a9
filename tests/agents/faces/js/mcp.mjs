// The official TypeScript SDK of MCP against a live server: node mcp.mjs URL KEY VAULT_ID QUESTION
import assert from "node:assert/strict";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { discoverOAuthProtectedResourceMetadata } from "@modelcontextprotocol/sdk/client/auth.js";

const [url, key, vaultId, question] = process.argv.slice(2);
const place = new URL(`${url}/mcp`);
const connect = async (token) => {
  const client = new Client({ name: "test", version: "1.0.0" });
  const requestInit = { headers: { Authorization: `Bearer ${token}` } };
  await client.connect(new StreamableHTTPClientTransport(place, { requestInit }));
  return client;
};

const client = await connect(key);
const names = (await client.listTools()).tools.map((tool) => tool.name);
for (const name of ["search_documents", "ask", "read_page", "create_item"]) assert.ok(names.includes(name), name);

const answer = await client.callTool({ name: "ask", arguments: { question } });
assert.match(answer.content[0].text, /1 March 2027/);
assert.equal(answer.structuredContent.found, true);

const { resources } = await client.listResources();
const page = await client.readResource({ uri: `${resources[0].uri}/pages/1` });
assert.match(page.contents[0].text, /branch in Lund/);
await assert.rejects(client.readResource({ uri: "lifevault://documents/x" }));

const arguments_ = { vault_id: vaultId, type: "passport", title: "From JavaScript" };
const asked = await client.callTool({ name: "create_item", arguments: arguments_ });
assert.equal(asked.structuredContent.state, "pending");
const listed = await client.callTool({ name: "list_items", arguments: {} });
assert.deepEqual(listed.structuredContent.items, []);

const prompt = await client.getPrompt({ name: "ask", arguments: { question } });
assert.ok(prompt.messages[0].content.text.includes(question));
await client.close();

await assert.rejects(connect("lv_wrong"));
const metadata = await discoverOAuthProtectedResourceMetadata(place);
assert.ok(metadata.authorization_servers.length > 0);
console.log("ok");
