"""RSA keys that sign tokens. They stay the same from one rehearsal to the next, so that what was signed stays valid."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from hashlib import sha256
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm


class SigningKey:
    """An RSA key of 2048 bits, its public half as PEM and as a JSON Web Key."""

    def __init__(self, private_pem: str) -> None:
        key = serialization.load_pem_private_key(private_pem.encode(), password=None)
        if not isinstance(key, rsa.RSAPrivateKey):
            raise TypeError("a signing key is an RSA key")
        self._private = key
        self.public = key.public_key()
        self.public_pem = self.public.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        ).decode()
        self.key_id = sha256(self.public_pem.encode()).hexdigest()[:24]
        self.jwk: dict[str, Any] = {
            **RSAAlgorithm.to_jwk(self.public, as_dict=True),
            "kid": self.key_id,
            "x5t": self.key_id,
            "use": "sig",
            "alg": "RS256",
        }

    @classmethod
    def kept_in(cls, keys: MutableMapping[str, Any], name: str) -> SigningKey:
        """The key of that name, made at the first call."""
        if name not in keys:
            key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
            keys[name] = key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            ).decode()
        return cls(keys[name])

    def sign(self, claims: Mapping[str, Any]) -> str:
        """A JSON Web Token (RS256) with these claims."""
        headers = {"kid": self.key_id, "x5t": self.key_id}
        return jwt.encode(dict(claims), self._private, algorithm="RS256", headers=headers)
