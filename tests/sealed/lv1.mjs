// Suite LV1 in plain JavaScript on WebCrypto alone: what a browser needs to open and to make sealed data.
const { subtle } = globalThis.crypto;
export const VERSION_AND_SUITE = new Uint8Array([1, 1]);
const EMPTY = new Uint8Array(0);
const MODE_BASE = new Uint8Array([0]);
const KEM_SUITE = concat(utf8("KEM"), [0, 0x20]);
const HPKE_SUITE = concat(utf8("HPKE"), [0, 0x20, 0, 1, 0, 2]);

export class Refused extends Error {}

export function utf8(text) {
  return new TextEncoder().encode(text);
}

export function hex(bytes) {
  return Array.from(bytes, (each) => each.toString(16).padStart(2, "0")).join("");
}

export function unhex(text) {
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

export function uuid(text) {
  return unhex(text.replaceAll("-", ""));
}

export function concat(...parts) {
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let position = 0;
  for (const part of parts) {
    joined.set(part, position);
    position += part.length;
  }
  return joined;
}

export function number(value, bytes = 8) {
  const out = new Uint8Array(bytes);
  for (let left = BigInt(value), at = bytes - 1; at >= 0; at -= 1, left >>= 8n) out[at] = Number(left & 255n);
  return out;
}

export function pack(...parts) {
  return concat(...parts.flatMap((part) => [number(part.length, 4), part]));
}

export function unpack(data) {
  const parts = [];
  for (let at = 0; at < data.length; ) {
    if (at + 4 > data.length) throw new Refused("cut");
    const end = at + 4 + new DataView(data.buffer, data.byteOffset + at, 4).getUint32(0);
    if (end > data.length) throw new Refused("cut");
    parts.push(data.slice(at + 4, end));
    at = end;
  }
  return parts;
}

export async function digest(data) {
  return new Uint8Array(await subtle.digest("SHA-256", data));
}

async function hmac(key, data) {
  // WebCrypto takes no empty HMAC key; RFC 5869 fills it up with zeros, so 32 zeros are the same key
  const imported = await subtle.importKey("raw", key.length ? key : new Uint8Array(32), { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  return new Uint8Array(await subtle.sign("HMAC", imported, data));
}

async function expand(prk, info, length) {
  let [block, out] = [EMPTY, EMPTY];
  for (let count = 1; out.length < length; count += 1) {
    block = await hmac(prk, concat(block, info, [count]));
    out = concat(out, block);
  }
  return out.slice(0, length);
}

export async function derive(secret, purpose, place = [], length = 32) {
  const key = await subtle.importKey("raw", secret, "HKDF", false, ["deriveBits"]);
  return hkdf(key, pack(VERSION_AND_SUITE, utf8(purpose), ...place), length);
}

async function hkdf(key, info, length) {
  return new Uint8Array(await subtle.deriveBits({ name: "HKDF", hash: "SHA-256", salt: EMPTY, info }, key, length * 8));
}

async function boxKey(secret, context) {
  const both = await hkdf(await subtle.importKey("raw", secret, "HKDF", false, ["deriveBits"]), context, 64);
  return [await aes(both.slice(0, 32)), both.slice(32)];
}

function aes(key) {
  return subtle.importKey("raw", key, "AES-GCM", false, ["encrypt", "decrypt"]);
}

function same(one, other) {
  return one.length === other.length && one.reduce((sum, each, at) => sum | (each ^ other[at]), 0) === 0;
}

async function decrypt(key, iv, additionalData, data) {
  try {
    return new Uint8Array(await subtle.decrypt({ name: "AES-GCM", iv, additionalData }, key, data));
  } catch {
    throw new Refused("tag");
  }
}

async function encrypt(key, iv, additionalData, data) {
  return new Uint8Array(await subtle.encrypt({ name: "AES-GCM", iv, additionalData }, key, data));
}

export async function seal({ keyId, secret, purpose, place, plaintext, nonce }) {
  const context = pack(VERSION_AND_SUITE, keyId, utf8(purpose), ...place);
  const [key, commitment] = await boxKey(secret, context);
  const iv = nonce ?? crypto.getRandomValues(new Uint8Array(12));
  return concat(VERSION_AND_SUITE, keyId, commitment, iv, await encrypt(key, iv, context, plaintext));
}

export async function unseal({ keyId, secret, purpose, place, box }) {
  if (!same(box.slice(0, 2), VERSION_AND_SUITE)) throw new Refused("suite");
  if (box.length < 70 || !same(box.slice(2, 10), keyId)) throw new Refused("key id");
  const context = pack(VERSION_AND_SUITE, keyId, utf8(purpose), ...place);
  const [key, commitment] = await boxKey(secret, context);
  if (!same(box.slice(10, 42), commitment)) throw new Refused("commitment");
  return decrypt(key, box.slice(42, 54), context, box.slice(54));
}

export async function openEnvelope(signing, purpose, envelope) {
  if (!same(envelope.slice(0, 2), VERSION_AND_SUITE)) throw new Refused("suite");
  const [body, signature, ...more] = unpack(envelope.slice(2));
  if (more.length) throw new Refused("trailing");
  const key = await subtle.importKey("raw", signing, "Ed25519", false, ["verify"]);
  const genuine = await subtle.verify("Ed25519", key, signature, pack(VERSION_AND_SUITE, utf8(purpose), body));
  if (!genuine) throw new Refused("signature");
  return body;
}

export async function newSigner() {
  const { privateKey, publicKey } = await subtle.generateKey("Ed25519", true, ["sign", "verify"]);
  return { privateKey, signing: new Uint8Array(await subtle.exportKey("raw", publicKey)) };
}

export async function makeEnvelope(privateKey, purpose, body) {
  const signature = await subtle.sign("Ed25519", privateKey, pack(VERSION_AND_SUITE, utf8(purpose), body));
  return concat(VERSION_AND_SUITE, pack(body, new Uint8Array(signature)));
}

export function wrapPlace(sender, recipient, exchange, vault, epoch) {
  return pack(VERSION_AND_SUITE, utf8("epoch wrap"), sender, recipient, exchange, vault, number(epoch));
}

// RFC 9180, DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM, base mode, single shot
async function extract(suite, salt, label, value) {
  return hmac(salt, concat(utf8("HPKE-v1"), suite, utf8(label), value));
}

async function labelled(suite, prk, label, info, length) {
  return expand(prk, concat(number(length, 2), utf8("HPKE-v1"), suite, utf8(label), info), length);
}

async function hpkeKey(shared, kemContext, info) {
  const prk = await extract(KEM_SUITE, EMPTY, "eae_prk", shared);
  const secret = await labelled(KEM_SUITE, prk, "shared_secret", kemContext, 32);
  const hashes = [await extract(HPKE_SUITE, EMPTY, "psk_id_hash", EMPTY), await extract(HPKE_SUITE, EMPTY, "info_hash", info)];
  const context = concat(MODE_BASE, ...hashes);
  const schedule = await extract(HPKE_SUITE, secret, "secret", EMPTY);
  const key = await aes(await labelled(HPKE_SUITE, schedule, "key", context, 32));
  return [key, await labelled(HPKE_SUITE, schedule, "base_nonce", context, 12)];
}

async function agree(privateKey, publicBytes) {
  const publicKey = await subtle.importKey("raw", publicBytes, "X25519", false, []);
  return new Uint8Array(await subtle.deriveBits({ name: "X25519", public: publicKey }, privateKey, 256));
}

export async function hpkeOpen(privateBytes, exchange, info, sealed) {
  const header = unhex("302e020100300506032b656e04220420"); // PKCS #8 of an X25519 key, RFC 8410 §7
  const privateKey = await subtle.importKey("pkcs8", concat(header, privateBytes), "X25519", false, ["deriveBits"]);
  const enc = sealed.slice(0, 32);
  const [key, nonce] = await hpkeKey(await agree(privateKey, enc), concat(enc, exchange), info);
  return decrypt(key, nonce, EMPTY, sealed.slice(32));
}

export async function hpkeSeal(exchange, info, plaintext) {
  const { privateKey, publicKey } = await subtle.generateKey("X25519", true, ["deriveBits"]);
  const enc = new Uint8Array(await subtle.exportKey("raw", publicKey));
  const [key, nonce] = await hpkeKey(await agree(privateKey, exchange), concat(enc, exchange), info);
  return concat(enc, await encrypt(key, nonce, EMPTY, plaintext));
}

async function chunkCipher({ vault, file, secret, chunkSize }, index, last) {
  const place = [vault, file, number(chunkSize)];
  const context = pack(VERSION_AND_SUITE, utf8("file"), ...place, number(index), new Uint8Array([last ? 1 : 0]));
  return [await aes(await derive(secret, "file", place)), concat(number(index, 11), [last ? 1 : 0]), context];
}

export async function sealChunk(file, index, last, plaintext) {
  const [key, nonce, context] = await chunkCipher(file, index, last);
  return concat(VERSION_AND_SUITE, await encrypt(key, nonce, context, plaintext));
}

export async function openChunk(file, index, last, chunk) {
  if (!same(chunk.slice(0, 2), VERSION_AND_SUITE)) throw new Refused("suite");
  const [key, nonce, context] = await chunkCipher(file, index, last);
  return decrypt(key, nonce, context, chunk.slice(2));
}

export async function dueToken(vault, epoch, secret, day) {
  return hmac(await derive(secret, "due day", [vault, number(epoch)]), utf8(day));
}

export async function recoverySecret(text) {
  const letters = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
  let value = 0n;
  for (const letter of text.toUpperCase().replace(/[-\s]/g, "")) value = (value << 5n) | BigInt(letters.indexOf(letter));
  const data = number(value, 35);
  if (!same((await digest(data.slice(0, 32))).slice(0, 3), data.slice(32))) throw new Refused("checksum");
  return data.slice(0, 32);
}

export async function fingerprint(account, signing, exchange) {
  const known = await digest(pack(VERSION_AND_SUITE, utf8("fingerprint"), pack(account, signing, exchange)));
  const [consonants, vowels, words] = ["bdfghjklmnprstvz", "aiou", []];
  for (let at = 0; at < 16; at += 2) {
    const bits = (known[at] << 8) | known[at + 1];
    const letter = (shift) => consonants[(bits >> shift) & 15];
    words.push(letter(12) + vowels[(bits >> 10) & 3] + letter(6) + vowels[(bits >> 4) & 3] + letter(0));
  }
  return words.join(" ");
}
