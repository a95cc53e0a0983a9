"""A software authenticator: makes passkeys and signs with them, as a browser and a phone together would (WebAuthn)."""

import base64
import hashlib
import json
import os
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

USER_PRESENT, USER_VERIFIED, BACKUP_ELIGIBLE, BACKED_UP, WITH_CREDENTIAL = 0x01, 0x04, 0x08, 0x10, 0x40


def b64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@dataclass
class Authenticator:
    """One device with one passkey at most; what it does wrong is said by its fields."""

    origin: str = "http://localhost:8000"
    verifies: bool = True
    synced: bool = False
    counts: bool = True
    algorithm: str = "ES256"
    counter: int = 0
    credential_id: bytes = field(default_factory=lambda: os.urandom(32))
    user_handle: bytes = b""
    rp_id: str = ""
    key: Any = None

    def create(self, options: dict[str, Any], **changes: Any) -> dict[str, Any]:
        """What `navigator.credentials.create()` gives."""
        es256 = self.algorithm == "ES256"
        self.key = ec.generate_private_key(ec.SECP256R1()) if es256 else ed25519.Ed25519PrivateKey.generate()
        self.user_handle, self.rp_id = unb64(options["user"]["id"]), options["rp"]["id"]
        credential = bytes(16) + len(self.credential_id).to_bytes(2) + self.credential_id + self._cose_key()
        data = self._data(WITH_CREDENTIAL) + credential
        attestation = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})
        response = {
            "clientDataJSON": b64(self._client_data("webauthn.create", options, changes)),
            "attestationObject": b64(attestation),
            "transports": ["internal", "hybrid", "carrier-pigeon"],
        }
        return self._credential(response)

    def get(self, options: dict[str, Any], **changes: Any) -> dict[str, Any]:
        """What `navigator.credentials.get()` gives."""
        if self.counts:
            self.counter += 1
        data = self._data(0)
        client_data = self._client_data("webauthn.get", options, changes)
        response = {
            "clientDataJSON": b64(client_data),
            "authenticatorData": b64(data),
            "signature": b64(self._sign(data + hashlib.sha256(client_data).digest())),
            "userHandle": b64(self.user_handle),
        }
        return self._credential(response)

    def _credential(self, response: dict[str, Any]) -> dict[str, Any]:
        credential_id = b64(self.credential_id)
        extra = {"authenticatorAttachment": "platform", "clientExtensionResults": {}}
        return {"id": credential_id, "rawId": credential_id, "type": "public-key", "response": response, **extra}

    def _client_data(self, kind: str, options: dict[str, Any], changes: dict[str, Any]) -> bytes:
        content = {"type": kind, "challenge": options["challenge"], "origin": self.origin, "crossOrigin": False}
        return json.dumps(content | changes).encode()

    def _data(self, flags: int) -> bytes:
        flags |= USER_PRESENT | USER_VERIFIED * self.verifies | (BACKUP_ELIGIBLE | BACKED_UP) * self.synced
        return hashlib.sha256(self.rp_id.encode()).digest() + bytes([flags]) + self.counter.to_bytes(4)

    def _cose_key(self) -> bytes:
        """RFC 9053 §7: kty, alg, crv, x, y."""
        if self.algorithm == "ES256":
            numbers = self.key.public_key().public_numbers()
            return cbor2.dumps({1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32), -3: numbers.y.to_bytes(32)})
        return cbor2.dumps({1: 1, 3: -8, -1: 6, -2: self.key.public_key().public_bytes_raw()})

    def _sign(self, content: bytes) -> bytes:
        if self.algorithm == "ES256":
            return bytes(self.key.sign(content, ec.ECDSA(hashes.SHA256())))
        return bytes(self.key.sign(content))
