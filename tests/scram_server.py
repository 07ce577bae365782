"""The server's side of SCRAM (RFC 5802), written from its point of view: it has keys, and no password."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re


class ScramServer:
    """Knows one user's keys; ``first`` and ``final`` take the client's messages and give the server's."""

    def __init__(
        self,
        password: bytes,
        digest: str = "sha256",
        *,
        salt: bytes = b"a salt of sixteen",
        iterations: int = 4096,
        nonce: str = "and-more",
    ) -> None:
        salted = hashlib.pbkdf2_hmac(digest, password, salt, iterations)
        self._digest = digest
        self._stored_key = hashlib.new(digest, hmac.digest(salted, b"Client Key", digest)).digest()
        self._server_key = hmac.digest(salted, b"Server Key", digest)
        self._offer = f",s={base64.b64encode(salt).decode()},i={iterations}".encode()
        self._nonce = nonce.encode()
        self._messages = b""
        self.username = b""

    def first(self, message: bytes) -> bytes:
        """The challenge for the client's first message."""
        match = re.fullmatch(rb"n,,(n=([^,]*),r=([!-+\--~]+))", message)
        assert match is not None, message
        self.username = match[2].replace(b"=2C", b",").replace(b"=3D", b"=")
        challenge = b"r=" + match[3] + self._nonce + self._offer
        self._messages = match[1] + b"," + challenge
        return challenge

    def final(self, message: bytes) -> bytes:
        """The signature, or an error for a proof that does not fit."""
        begin, _, proof = message.rpartition(b",p=")
        messages = self._messages + b"," + begin
        signature = hmac.digest(self._stored_key, messages, self._digest)
        client_key = bytes(a ^ b for a, b in zip(base64.b64decode(proof), signature, strict=True))
        if not begin.startswith(b"c=biws,") or hashlib.new(self._digest, client_key).digest() != self._stored_key:
            return b"e=invalid-proof"
        return b"v=" + base64.b64encode(hmac.digest(self._server_key, messages, self._digest))
