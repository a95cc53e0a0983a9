// Opens every published vector; prints how many of each kind came out as published, or stops with what did not.
import { strict as assert } from "node:assert";
import * as nodeCrypto from "node:crypto";
import { readFileSync } from "node:fs";
import * as lv1 from "./lv1.mjs";

const { hex, unhex, uuid } = lv1;
const vectors = JSON.parse(readFileSync(process.argv[2], "utf8"));
const counts = {};

function count(kind) {
  counts[kind] = (counts[kind] ?? 0) + 1;
}

function parts({ key_id, secret, purpose, place, box, plaintext, nonce }) {
  return { keyId: unhex(key_id), secret: unhex(secret), purpose, place: place.map(unhex), box: unhex(box), plaintext: unhex(plaintext), nonce: unhex(nonce) };
}

async function kdf(vector) {
  const [account, root] = [uuid(vector.account), unhex(vector.root)];
  assert.equal(hex(await lv1.derive(root, "password authentication", [account])), vector.authentication);
  assert.equal(hex(await lv1.derive(root, "password unwrap", [account])), vector.unwrap);
  count("kdf split");
  if (!nodeCrypto.argon2Sync) return;
  const costs = { memory: vector.memory_kib, passes: vector.passes, parallelism: vector.lanes, tagLength: 32 };
  const message = Buffer.from(vector.password.normalize("NFC"));
  assert.equal(hex(nodeCrypto.argon2Sync("argon2id", { message, nonce: unhex(vector.salt), ...costs })), vector.root);
  count("argon2id");
}

async function recovery(vector) {
  const secret = await lv1.recoverySecret(vector.text);
  assert.equal(hex(secret), vector.secret);
  assert.equal(hex(await lv1.derive(secret, "recovery authentication", [uuid(vector.account)])), vector.authentication);
  count("recovery");
}

async function fingerprint(vector) {
  assert.equal(await lv1.fingerprint(uuid(vector.account), unhex(vector.signing), unhex(vector.exchange)), vector.words);
  count("fingerprint");
}

async function box(vector) {
  assert.equal(hex(await lv1.unseal(parts(vector))), vector.plaintext);
  assert.equal(hex(await lv1.seal(parts(vector))), vector.box);
  count("box");
}

async function envelope(vector) {
  const sealed = unhex(vector.envelope);
  assert.equal(hex(await lv1.openEnvelope(unhex(vector.signing), vector.purpose, sealed)), vector.body);
  await assert.rejects(lv1.openEnvelope(unhex(vector.signing), "another purpose", sealed), lv1.Refused);
  count("envelope");
}

async function wrap({ sender, recipient, vault, epoch, secret, key_check, envelope: sealed }) {
  const body = await lv1.openEnvelope(unhex(sender.signing), "epoch wrap", unhex(sealed));
  const [from, place, ciphertext] = lv1.unpack(body);
  const exchange = unhex(recipient.exchange);
  assert.equal(hex(from), hex(uuid(sender.account)));
  assert.equal(hex(place), hex(lv1.wrapPlace(from, uuid(recipient.account), exchange, uuid(vault), epoch)));
  const opened = await lv1.hpkeOpen(unhex(recipient.private), exchange, place, ciphertext);
  assert.equal(hex(opened), secret);
  assert.equal(hex(await lv1.derive(opened, "epoch check", [uuid(vault), lv1.number(epoch)])), key_check);
  count("wrap");
}

async function chunks(vector) {
  const file = { vault: uuid(vector.vault), file: uuid(vector.file), secret: unhex(vector.secret), chunkSize: vector.chunk_size };
  const full = Uint8Array.from({ length: vector.chunk_size }, (_, index) => index % 251);
  assert.equal(hex(await lv1.digest(await lv1.sealChunk(file, 0, false, full))), vector.first.digest);
  const chunk = unhex(vector.last.chunk);
  assert.equal(hex(await lv1.openChunk(file, 1, true, chunk)), vector.last.plaintext);
  await assert.rejects(lv1.openChunk(file, 1, false, chunk), lv1.Refused);
  await assert.rejects(lv1.openChunk(file, 0, true, chunk), lv1.Refused);
  count("chunks");
}

async function due({ vault, epoch, secret, day, token }) {
  assert.equal(hex(await lv1.dueToken(uuid(vault), epoch, unhex(secret), day)), token);
  count("due");
}

async function refused(vector) {
  await assert.rejects(lv1.unseal(parts(vector)), lv1.Refused, vector.name);
  count("refused");
}

await kdf(vectors.kdf);
await recovery(vectors.recovery);
for (const each of vectors.fingerprints) await fingerprint(each);
for (const each of vectors.boxes) await box(each);
for (const each of vectors.envelopes) await envelope(each);
await wrap(vectors.wrap);
await chunks(vectors.chunks);
await due(vectors.due);
for (const each of vectors.refused) await refused(each);
console.log(JSON.stringify(counts));
