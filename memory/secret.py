"""PRIMUM_SECRET: what seals checkpoints, chains the audit, signs receipts and makes pseudonyms."""

import base64
import hmac
import os
import secrets
from functools import cached_property
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from primum.graph.errors import BadInput, MemoryUnavailable
from primum.memory.identity import Identity

SHORTEST = 32  # characters
_NONCE = 12  # bytes, as GCM wants it


class Secret:
    """Keys for one installation, each derived for one purpose (HKDF, RFC 5869), so that none tells of another."""

    def __init__(self, value: str) -> None:
        self._value = value.encode()

    def _key(self, purpose: str) -> bytes:
        return HKDF(SHA256(), 32, b"primum", purpose.encode()).derive(self._value)

    @property
    def value(self) -> str:
        """The secret itself: for a backup that is to hold it."""
        return self._value.decode()

    @cached_property
    def check(self) -> bytes:
        """By which the same secret is known again; tells nothing of it."""
        return self._key("check")

    @cached_property
    def cipher(self) -> "Cipher":
        return Cipher(self._key("checkpoints"))

    @cached_property
    def _audit_key(self) -> bytes:
        return self._key("audit")

    @cached_property
    def _pseudonym_key(self) -> bytes:
        return self._key("pseudonym")

    @cached_property
    def _signing_key(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self._key("receipts"))

    @cached_property
    def _removals_key(self) -> bytes:
        return self._key("removals")

    @cached_property
    def _token_key(self) -> bytes:
        return self._key("api keys")

    def backup_key(self, salt: bytes) -> bytes:
        """Of one backup, which has a salt of its own: 32 bytes."""
        return HKDF(SHA256(), 32, salt, b"backups").derive(self._value)

    def proof(self, content: bytes) -> bytes:
        """By which a list of removals is known to be ours and whole: HMAC-SHA256."""
        return hmac.digest(self._removals_key, content, "sha256")

    def token_hash(self, token: bytes) -> bytes:
        """What is kept of an API key: HMAC-SHA256, so that who has the tables alone can make and try none."""
        return hmac.digest(self._token_key, token, "sha256")

    def chained(self, previous: bytes, event: bytes) -> bytes:
        """The hash of an event that follows another: HMAC-SHA256, so that only who has the secret can make one."""
        return hmac.digest(self._audit_key, previous + event, "sha256")

    def pseudonym(self, identity: Identity) -> str:
        """A patient's name where their own must not stand, the same each time."""
        name = f"{len(identity.tenant)}:{identity.tenant}{identity.patient}".encode()
        return hmac.digest(self._pseudonym_key, name, "sha256").hex()[:32]

    def mark(self, content: bytes) -> str:
        """What stands for a content that must not stand there itself; without the secret nothing can be tried."""
        return hmac.digest(self._audit_key, content, "sha256").hex()

    def sign(self, message: bytes) -> tuple[str, str]:
        """An Ed25519 signature and the public key that proves it, both in Base64."""
        public = self._signing_key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        return base64.b64encode(self._signing_key.sign(message)).decode(), base64.b64encode(public).decode()


class Cipher:
    """AES-256-GCM, as LangGraph's encrypting serializer takes it."""

    name = "aesgcm"

    def __init__(self, key: bytes) -> None:
        self._aes = AESGCM(key)

    def encrypt(self, plaintext: bytes) -> tuple[str, bytes]:
        nonce = os.urandom(_NONCE)
        return self.name, nonce + self._aes.encrypt(nonce, plaintext, None)

    def decrypt(self, ciphername: str, ciphertext: bytes) -> bytes:
        """Raises MemoryUnavailable if it was not sealed with this secret, or was changed since."""
        if ciphername != self.name:
            raise MemoryUnavailable(f"A checkpoint is sealed with {ciphername}, which Primum does not use.")
        try:
            return self._aes.decrypt(ciphertext[:_NONCE], ciphertext[_NONCE:], None)
        except (InvalidTag, ValueError):
            raise MemoryUnavailable("A checkpoint was changed, or sealed with another PRIMUM_SECRET.") from None


def find_secret(given: str | None, home: Path) -> Secret:
    """The secret that is set, else the one in PRIMUM_HOME, made on first use and readable by its owner alone.

    Raises:
        BadInput: it is too short.
    """
    if given is not None:
        if len(given) < SHORTEST:
            raise BadInput(f"PRIMUM_SECRET has {len(given)} characters; give at least {SHORTEST} random ones.")
        return Secret(given)
    return keep_secret(Secret(secrets.token_urlsafe(48)), home)


def keep_secret(secret: Secret, home: Path) -> Secret:
    """Makes it that of a PRIMUM_HOME, readable by its owner alone; the one that is there already stays."""
    file = home / "secret"
    home.mkdir(parents=True, exist_ok=True)
    draft = home / f"secret.{os.getpid()}.{secrets.token_hex(4)}"
    if not file.exists():
        with open(draft, "w", opener=lambda path, flags: os.open(path, flags | os.O_EXCL, 0o600)) as out:
            out.write(secret.value)
        try:
            os.link(draft, file)  # the first of several processes wins
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return Secret(file.read_text().strip())
