"""PRIMUM_SECRET: what seals checkpoints, chains the audit, signs receipts and makes pseudonyms.

There may be several: the newest, and those that came before it. Which one is in use the database says, so that all
processes change to another at the same moment (`primum.memory.rotation`). What any of them made is read.
"""

import base64
import hmac
import os
import secrets
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from primum.graph.errors import BadInput, MemoryUnavailable
from primum.memory.files import drafted
from primum.memory.identity import Identity

SHORTEST = 32  # characters
CIPHER = "aesgcm"
_NONCE = 12  # bytes, as GCM wants it
_ANOTHER = "This database was made with another PRIMUM_SECRET"


class One:
    """One secret, and a key for each purpose, derived (HKDF, RFC 5869) so that none tells of another."""

    def __init__(self, value: str) -> None:
        self.value = value
        self.check = self._key("check")  # by which the same secret is known again; tells nothing of it
        self.id = self.check.hex()[:8]

    def _key(self, purpose: str) -> bytes:
        return HKDF(SHA256(), 32, b"primum", purpose.encode()).derive(self.value.encode())

    @cached_property
    def checkpoints(self) -> AESGCM:
        return AESGCM(self._key("checkpoints"))

    @cached_property
    def former(self) -> AESGCM:
        return AESGCM(self._key("former secrets"))

    @cached_property
    def audit(self) -> bytes:
        return self._key("audit")

    @cached_property
    def pseudonyms(self) -> bytes:
        return self._key("pseudonym")

    @cached_property
    def removals(self) -> bytes:
        return self._key("removals")

    @cached_property
    def tokens(self) -> bytes:
        return self._key("api keys")

    @cached_property
    def receipts(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self._key("receipts"))

    @cached_property
    def public_key(self) -> str:
        return base64.b64encode(self.receipts.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()

    def backups(self, salt: bytes) -> bytes:
        return HKDF(SHA256(), 32, salt, b"backups").derive(self.value.encode())


class Secret:
    """The secrets of one installation: those `given`, the newest first, and those that its database keeps as former.

    What is made is made with the one in use: the newest, until `adopt` or `use` names another of those given.
    """

    def __init__(self, newest: str, *before: str) -> None:
        self.given = {one.check: one for one in map(One, (newest, *before))}
        self.newest = next(iter(self.given.values()))
        self._used = self.newest
        self._former: list[One] = []  # the oldest first

    @property
    def used(self) -> One:
        """The one that is in use."""
        return self._used

    @property
    def line(self) -> Sequence[One]:
        """Those that were in use, the oldest first; the last one is."""
        return (*self._former, self._used)

    @property
    def check(self) -> bytes:
        """Of the one in use, as the database keeps it."""
        return self._used.check

    @cached_property
    def cipher(self) -> "Cipher":
        return Cipher(self)

    def find(self, check: bytes) -> One | None:
        """The one of those given that a check is of."""
        return self.given.get(check)

    def adopt(self, check: bytes | None, former: Iterable[tuple[bytes, bytes]] = ()) -> None:
        """Takes over what a database keeps: which one is in use, and those before it, the oldest first, sealed with it.

        Raises:
            BadInput: none of those given is in use there.
        """
        used = self.newest if check is None else self.find(check)
        if used is None:
            raise BadInput(
                f"{_ANOTHER} ({check.hex()[:8] if check else ''}). Set that one, as PRIMUM_SECRET or, if it came "
                "before the one that is set, as PRIMUM_SECRET_BEFORE; or use another database."
            )
        try:
            self._former = [
                One(used.former.decrypt(sealed[:_NONCE], sealed[_NONCE:], kept).decode()) for kept, sealed in former
            ]
        except (InvalidTag, ValueError):
            raise BadInput("A former PRIMUM_SECRET in this database was changed: restore a backup.") from None
        self._used = used

    def use(self, check: bytes | None) -> None:
        """Goes over to what the database has in use by now; without a word of it nothing changes.

        Raises:
            MemoryUnavailable: it is none of those given, so this process must write nothing more.
        """
        if check is None or check == self._used.check:
            return
        used = self.find(check)
        if used is None:
            raise MemoryUnavailable(
                f"The database has another PRIMUM_SECRET in use by now ({check.hex()[:8]}). "
                "Restart this process with it."
            )
        self._former = [*(one for one in self._former if one is not used), self._used]
        self._used = used

    def sealed_former(self) -> list[tuple[bytes, bytes]]:
        """All that were in use until now, sealed with the newest, which is about to be."""
        made = []
        for one in self.line:
            nonce = os.urandom(_NONCE)
            made.append((one.check, nonce + self.newest.former.encrypt(nonce, one.value.encode(), one.check)))
        return made

    def backup_key(self, salt: bytes, check: bytes) -> bytes | None:
        """Of one backup, which has a salt of its own: 32 bytes; None if none of those given sealed it."""
        one = self.find(check)
        return one.backups(salt) if one else None

    def proof(self, content: bytes) -> bytes:
        """By which a list of removals is known to be ours and whole: HMAC-SHA256."""
        return hmac.digest(self._used.removals, content, "sha256")

    def proves(self, content: bytes, proof: bytes) -> bool:
        """Whether one of those given proved it."""
        return any(
            hmac.compare_digest(proof, hmac.digest(one.removals, content, "sha256")) for one in self.given.values()
        )

    def token_hash(self, token: bytes) -> bytes:
        """What is kept of an API key: HMAC-SHA256, so that who has the tables alone can make and try none."""
        return hmac.digest(self._used.tokens, token, "sha256")

    def token_hashed_on(self, kept: bytes) -> bytes:
        """What is kept of an API key once the newest is in use: the hash of a hash, since nobody has the key itself."""
        return hmac.digest(self.newest.tokens, kept, "sha256")

    def is_token(self, token: bytes, kept: bytes) -> bool:
        """Whether a hash is a token's: of the one in use, or of a former one and hashed on with all after it."""
        line, found = self.line, False
        for first, one in enumerate(line):
            made = hmac.digest(one.tokens, token, "sha256")
            for after in line[first + 1 :]:
                made = hmac.digest(after.tokens, made, "sha256")
            found |= hmac.compare_digest(made, kept)
        return found

    def chained(self, previous: bytes, event: bytes) -> bytes:
        """The hash of an event that follows another: HMAC-SHA256, so that only who has the secret can make one."""
        return hmac.digest(self._used.audit, previous + event, "sha256")

    def chained_by(self, previous: bytes, event: bytes, made: bytes, since: int) -> int | None:
        """The place in `line`, from `since` on, of the secret that chained an event; None if none of them did.

        Never one of before: who has a former secret could else write the trail anew.
        """
        for place, one in list(enumerate(self.line))[since:]:
            if hmac.compare_digest(made, hmac.digest(one.audit, previous + event, "sha256")):
                return place
        return None

    def pseudonym(self, identity: Identity) -> str:
        """A patient's name where their own must not stand, the same each time."""
        return _pseudonym(self._used, identity)

    def pseudonyms(self, identity: Identity) -> frozenset[str]:
        """All that a patient ever had; `pseudonym` is one of them."""
        return frozenset(_pseudonym(one, identity) for one in (*self.line, *self.given.values()))

    def mark(self, content: bytes) -> str:
        """What stands for a content that must not stand there itself; without the secret nothing can be tried."""
        return hmac.digest(self._used.audit, content, "sha256").hex()

    def is_mark(self, content: bytes, mark: str) -> bool:
        """Whether a mark, made with any that was in use, stands for this content."""
        return any(hmac.digest(one.audit, content, "sha256").hex() == mark for one in self.line)

    def sign(self, message: bytes) -> tuple[str, str]:
        """An Ed25519 signature and the public key that proves it, both in Base64."""
        return base64.b64encode(self._used.receipts.sign(message)).decode(), self._used.public_key

    def signs_by(self, public_key: str) -> bool:
        """Whether a public key is of one of those given."""
        return any(one.public_key == public_key for one in self.given.values())


def _pseudonym(one: One, identity: Identity) -> str:
    name = f"{len(identity.tenant)}:{identity.tenant}{identity.patient}".encode()
    return hmac.digest(one.pseudonyms, name, "sha256").hex()[:32]


class Cipher:
    """AES-256-GCM, as LangGraph's encrypting serializer takes it; its name says which secret sealed.

    That of a database whose secret never changed is `aesgcm` alone, as a Primum reads it that knows one secret only.
    """

    def __init__(self, secret: Secret) -> None:
        self._secret = secret

    @property
    def name(self) -> str:
        line = self._secret.line
        return CIPHER if len(line) == 1 else f"{CIPHER}.{line[-1].id}"

    def encrypt(self, plaintext: bytes) -> tuple[str, bytes]:
        nonce = os.urandom(_NONCE)
        return self.name, nonce + self._secret.used.checkpoints.encrypt(nonce, plaintext, None)

    def decrypt(self, ciphername: str, ciphertext: bytes) -> bytes:
        """Raises MemoryUnavailable if it was sealed with no secret that is known here, or was changed since."""
        cipher, _, number = ciphername.partition(".")
        if cipher != CIPHER:
            raise MemoryUnavailable(f"A checkpoint is sealed with {ciphername}, which Primum does not use.")
        known = {one.id: one for one in (*self._secret.given.values(), *self._secret.line)}
        if number and number not in known:
            raise MemoryUnavailable(f"A checkpoint is sealed with another PRIMUM_SECRET ({number}). Set that one too.")
        for one in [known[number]] if number else known.values():
            try:
                return one.checkpoints.decrypt(ciphertext[:_NONCE], ciphertext[_NONCE:], None)
            except (InvalidTag, ValueError):
                continue
        raise MemoryUnavailable("A checkpoint was changed, or sealed with another PRIMUM_SECRET.")


def new_secret() -> str:
    """A random one, of 64 characters."""
    return secrets.token_urlsafe(48)


def find_secret(given: Sequence[str], home: Path) -> Secret:
    """The secrets that are set, the newest first, else those in PRIMUM_HOME, made on first use and for its owner alone.

    Raises:
        BadInput: one is too short.
    """
    if given:
        return _ring(given, "PRIMUM_SECRET", "A secret of PRIMUM_SECRET_BEFORE")
    return read_secret(home) or keep_secret(Secret(new_secret()), home)


def read_secret(home: Path) -> Secret | None:
    """Those in a PRIMUM_HOME, if it keeps any. Raises BadInput."""
    found = lines_of(home)
    place = f"A secret of {home / 'secret'}"
    return _ring(found, place, place) if found else None


def lines_of(home: Path) -> list[str]:
    """The secrets that a PRIMUM_HOME keeps, a line each, the newest first; none if there is no such file.

    Raises:
        BadInput: the file is there and holds none.
    """
    file = home / "secret"
    if not file.is_file():
        return []
    found = [line.strip() for line in file.read_text().splitlines() if line.strip()]
    if not found:
        raise BadInput(f"{file} is empty. Put the secret back; or delete the file, if no database was made with it.")
    return found


def keep_secret(secret: Secret, home: Path) -> Secret:
    """Makes it that of a PRIMUM_HOME, readable by its owner alone; what is there already stays."""
    file = home / "secret"
    home.mkdir(parents=True, exist_ok=True)
    draft = home / f"secret.{os.getpid()}.{secrets.token_hex(4)}"
    if not file.exists():
        with open(draft, "w", opener=lambda path, flags: os.open(path, flags | os.O_EXCL, 0o600)) as out:
            out.write(secret.newest.value)
        try:
            os.link(draft, file)  # the first of several processes wins
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    kept = read_secret(home)
    assert kept is not None
    return kept


def write_secret(home: Path, values: Iterable[str]) -> None:
    """Makes these the secrets of a PRIMUM_HOME, the newest first. Raises BadInput if it can't be written."""
    with drafted(home / "secret") as file:
        file.write("".join(f"{value}\n" for value in dict.fromkeys(values)).encode())


def _ring(given: Sequence[str], newest: str, before: str) -> Secret:
    """Those given, by where they stand. Raises BadInput if one is too short."""
    for number, one in enumerate(given):
        if len(one) < SHORTEST:
            place = before if number else newest
            raise BadInput(f"{place} has {len(one)} characters; give at least {SHORTEST} random ones.")
    return Secret(*given)
