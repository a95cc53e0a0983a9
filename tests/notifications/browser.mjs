// A browser's part of web push, on WebCrypto: makes keys, and decrypts what it is sent (RFC 8291, RFC 8188).
// `node browser.mjs new` prints a subscription; `node browser.mjs open` reads {keys, message} and prints the text.

const { subtle } = globalThis.crypto;
const bytes = (text) => new Uint8Array(Buffer.from(text, "base64url"));
const text = (raw) => Buffer.from(raw).toString("base64url");
const utf8 = (words) => new TextEncoder().encode(words);
const join = (...parts) => new Uint8Array(Buffer.concat(parts.map((part) => Buffer.from(part))));
const curve = { name: "ECDH", namedCurve: "P-256" };

async function derive(secret, salt, info, length) {
  const key = await subtle.importKey("raw", secret, "HKDF", false, ["deriveBits"]);
  return new Uint8Array(await subtle.deriveBits({ name: "HKDF", hash: "SHA-256", salt, info }, key, length * 8));
}

async function made() {
  const pair = await subtle.generateKey(curve, true, ["deriveBits"]);
  const auth = globalThis.crypto.getRandomValues(new Uint8Array(16));
  return {
    private: await subtle.exportKey("jwk", pair.privateKey),
    p256dh: text(await subtle.exportKey("raw", pair.publicKey)),
    auth: text(auth),
  };
}

async function opened({ keys, message }) {
  const raw = bytes(message);
  const salt = raw.slice(0, 16);
  const recordSize = new DataView(raw.buffer, raw.byteOffset + 16, 4).getUint32(0);
  const sender = raw.slice(21, 21 + raw[20]);
  const sealed = raw.slice(21 + raw[20]);
  if (raw[20] !== 65 || raw.length > recordSize || recordSize > 4096) throw new Error("not one record");
  const mine = await subtle.importKey("jwk", keys.private, curve, false, ["deriveBits"]);
  const theirs = await subtle.importKey("raw", sender, curve, false, []);
  const shared = new Uint8Array(await subtle.deriveBits({ name: "ECDH", public: theirs }, mine, 256));
  const info = join(utf8("WebPush: info\0"), bytes(keys.p256dh), sender);
  const secret = await derive(shared, bytes(keys.auth), info, 32);
  const key = await derive(secret, salt, utf8("Content-Encoding: aes128gcm\0"), 16);
  const iv = await derive(secret, salt, utf8("Content-Encoding: nonce\0"), 12);
  const aes = await subtle.importKey("raw", key, "AES-GCM", false, ["decrypt"]);
  const padded = new Uint8Array(await subtle.decrypt({ name: "AES-GCM", iv }, aes, sealed));
  const end = padded.findLastIndex((value) => value !== 0);
  if (padded[end] !== 2) throw new Error("no last record");
  return new TextDecoder().decode(padded.slice(0, end));
}

async function given() {
  const parts = [];
  for await (const part of process.stdin) parts.push(part);
  return JSON.parse(Buffer.concat(parts).toString());
}

process.stdout.write(process.argv[2] === "new" ? JSON.stringify(await made()) : await opened(await given()));
