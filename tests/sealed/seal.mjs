// Seals what standard input asks for, with fresh randomness, and prints it; another implementation must open it.
import { readFileSync } from "node:fs";
import * as lv1 from "./lv1.mjs";

const { hex, unhex, uuid } = lv1;
const asked = JSON.parse(readFileSync(0, "utf8"));
const [vault, item, author] = [uuid(asked.vault), uuid(asked.item), uuid(asked.author)];
const { privateKey, signing } = await lv1.newSigner();

async function record(field, plaintext) {
  const place = [vault, item, lv1.utf8(field), lv1.number(1), lv1.number(1)];
  return lv1.seal({ keyId: unhex(asked.key_id), secret: unhex(asked.secret), purpose: "record", place, plaintext });
}

async function revision() {
  const names = Object.keys(asked.fields);
  const records = [await record("", lv1.pack(...names.map(lv1.utf8)))];
  for (const name of names) records.push(await record(name, lv1.utf8(asked.fields[name])));
  const digests = await Promise.all(records.map(lv1.digest));
  const kept = new Uint8Array([0]);
  const body = lv1.pack(vault, item, lv1.number(1), lv1.number(1), new Uint8Array(32), lv1.number(1), author, kept, lv1.pack(...digests));
  return lv1.pack(await lv1.makeEnvelope(privateKey, "revision", body), ...records);
}

async function wrap() {
  const exchange = unhex(asked.recipient.exchange);
  const place = lv1.wrapPlace(author, uuid(asked.recipient.account), exchange, vault, 1);
  const sealed = await lv1.hpkeSeal(exchange, place, unhex(asked.secret));
  return lv1.makeEnvelope(privateKey, "epoch wrap", lv1.pack(author, place, sealed));
}

async function chunks() {
  const file = { vault, file: item, secret: unhex(asked.secret), chunkSize: 65536 };
  const full = new Uint8Array(65536).fill(7);
  return [await lv1.sealChunk(file, 0, false, full), await lv1.sealChunk(file, 1, true, lv1.utf8("end"))];
}

const made = { signing, revision: await revision(), wrap: await wrap() };
const printed = Object.fromEntries(Object.entries(made).map(([name, bytes]) => [name, hex(bytes)]));
console.log(JSON.stringify({ ...printed, chunks: (await chunks()).map(hex) }));
