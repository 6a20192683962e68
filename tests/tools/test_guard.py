"""What leaves the house goes to public addresses of the sites that are meant, and what comes back is limited."""

import gzip
import ipaddress
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpcore
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from primum.graph.errors import AddressRefused, LookUpFailed
from primum.retrieval.addresses import is_public
from primum.tools.guard import Guard, Network, is_below
from tests.apis import FakeAPI, Reply, as_json, moved, packed

PRIVATE = [
    *(
        "127.0.0.1",
        "127.8.8.8",
        "10.0.0.1",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "169.254.169.254",
        "0.0.0.0",
    ),
    *("100.64.0.1", "192.0.2.1", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255"),
    *("::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd12::1", "ff02::1", "2001:db8::1", "fec0::1"),
    *("168.63.129.16", "::ffff:168.63.129.16", "3fff::1", "3fff:0fff::1"),
    *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1"),
    *("64:ff9b::10.0.0.1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "2002:a9fe:a9fe::1"),
]
SITES = ("example.org",)


def resolving(*addresses: str) -> Any:
    async def resolve(host: str, port: int) -> list[str]:
        return list(addresses)

    return resolve


@pytest.mark.parametrize("address", PRIVATE)
def test_addresses_of_the_house_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "130.14.29.110", "2607:f220:41e:4290::110", "::ffff:8.8.8.8"])
def test_addresses_of_the_internet_are(address: str) -> None:
    assert is_public(address)


@given(st.ip_addresses(v=4))
def test_an_address_wrapped_in_ipv6_is_judged_by_what_is_inside(address: ipaddress.IPv4Address) -> None:
    assert is_public(f"::ffff:{address}") == is_public(f"64:ff9b::{address}") == is_public(str(address))


def test_a_site_holds_what_is_below_it_and_nothing_that_only_looks_so() -> None:
    assert is_below("www.nhs.uk", ["nhs.uk"]) and is_below("NHS.uk.", ["nhs.uk"])
    assert not any(is_below(host, ["nhs.uk"]) for host in ("notnhs.uk", "nhs.uk.evil.org", "nhs.uk.evil", "uk"))


@pytest.mark.parametrize("address", PRIVATE)
async def test_a_name_that_leads_into_the_house_is_refused(address: str) -> None:
    guard = Guard(resolve=resolving("8.8.8.8", address))
    with pytest.raises(AddressRefused, match="not public"):
        await guard.get("https://example.org/", sites=SITES)


@pytest.mark.parametrize(
    "url",
    [
        *("http://example.org/", "https://example.org:8443/", "https://me:word@example.org/", "ftp://example.org/"),
        *("https://example.com/", "https://127.0.0.1/", "https://[::1]/", "https://2130706433/", "file:///etc/passwd"),
        *("https://example.org@127.0.0.1/", "https://evil.org/?example.org", "https:///example.org", "//example.org"),
        "https://example\u3002org.evil.org/",
    ],
)
async def test_only_https_to_a_listed_site_is_asked(url: str) -> None:
    guard = Guard(resolve=resolving("8.8.8.8"))
    with pytest.raises(LookUpFailed):
        await guard.get(url, sites=SITES)


class Recorder(httpcore.AsyncNetworkBackend):
    """Connects to nothing, and knows to what it should have."""

    def __init__(self, *down: str) -> None:
        self.asked: list[str] = []
        self.down = down

    async def connect_tcp(self, host: str, port: int, *rest: Any, **named: Any) -> httpcore.AsyncNetworkStream:
        self.asked.append(host)
        if host in self.down:
            raise httpcore.ConnectError
        return httpcore.AsyncMockStream([])


async def test_the_connection_goes_to_the_address_that_was_checked() -> None:
    """A second look-up would give another address: there is none."""
    answers = [["8.8.8.8"], ["127.0.0.1"]]

    async def rebinding(host: str, port: int) -> list[str]:
        return answers.pop(0)

    inner = Recorder()
    await Network(resolve=rebinding, inner=inner).connect_tcp("example.org", 443)
    assert inner.asked == ["8.8.8.8"] and answers == [["127.0.0.1"]]


async def test_the_next_address_is_tried_where_the_first_is_down() -> None:
    inner = Recorder("8.8.8.8")
    await Network(resolve=resolving("8.8.8.8", "8.8.4.4"), inner=inner).connect_tcp("example.org", 443)
    assert inner.asked == ["8.8.8.8", "8.8.4.4"]


async def test_a_name_without_address_is_told() -> None:
    async def none(host: str, port: int) -> list[str]:
        raise OSError

    with pytest.raises(LookUpFailed, match=r"example\.org has no address"):
        await Guard(resolve=none).get("https://example.org/", sites=SITES)


@pytest.mark.parametrize(
    "to",
    [
        *("http://169.254.169.254/latest/meta-data/", "http://127.0.0.1:1/", "https://127.0.0.1/", "http://[::1]/"),
        *("https://evil.org/", "http://localhost/", "file:///etc/passwd", "gopher://127.0.0.1/", "https://10.0.0.1/"),
    ],
)
async def test_a_redirect_into_the_house_or_off_the_list_is_refused(api: FakeAPI, guard: Guard, to: str) -> None:
    api.says("/", moved(to))
    with pytest.raises(LookUpFailed):
        await guard.get(f"{api.url}/", sites=SITES)
    assert len(api.requests) == 1


async def test_a_redirect_to_a_name_of_the_list_that_leads_into_the_house_is_refused(api: FakeAPI) -> None:
    async def resolve(host: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    api.says("/", moved("https://www.example.org/"))
    with pytest.raises(AddressRefused, match="not public"):
        await Guard([api.url], resolve=resolve).get(f"{api.url}/", sites=SITES)


async def test_a_redirect_within_the_site_is_followed_and_its_address_told(api: FakeAPI, guard: Guard) -> None:
    api.says("/", moved("/new?a=1#part", 301))
    api.says("/new", as_json({"ok": True}))
    page = await guard.get(f"{api.url}/", sites=SITES)
    assert (page.url, page.body) == (f"{api.url}/new?a=1", b'{"ok": true}')


@pytest.mark.parametrize(("to", "said"), [("/", "too often"), ("", "nowhere"), ("http://a:b/", "can't be read")])
async def test_redirects_without_end_or_aim_are_left(api: FakeAPI, guard: Guard, to: str, said: str) -> None:
    api.says("/", moved(to))
    with pytest.raises(LookUpFailed, match=said):
        await guard.get(f"{api.url}/", sites=SITES)
    assert len(api.requests) <= 4


async def test_a_body_larger_than_the_limit_is_left(api: FakeAPI, guard: Guard) -> None:
    api.says("/", Reply(b"x" * 70_000))
    with pytest.raises(LookUpFailed, match="more than 64 KB"):
        await guard.get(f"{api.url}/", sites=SITES, largest=2**16)


async def test_a_bomb_is_left_before_it_is_unpacked(api: FakeAPI, guard: Guard) -> None:
    api.says("/", packed(Reply(bytes(20 * 2**20))))
    with pytest.raises(LookUpFailed, match="more than 64 KB"):
        await guard.get(f"{api.url}/", sites=SITES, largest=2**16)


async def test_a_packed_body_is_unpacked(api: FakeAPI, guard: Guard) -> None:
    body = bytes(range(256)) * 500
    api.says("/", packed(Reply(body)))
    assert (await guard.get(f"{api.url}/", sites=SITES)).body == body


@pytest.mark.parametrize(
    "reply",
    [
        Reply(b"no gzip", headers={"Content-Encoding": "gzip"}),
        Reply(gzip.compress(b"x" * 1000)[:-9], headers={"Content-Encoding": "gzip"}),
        Reply(gzip.compress(b"x") + b"more", headers={"Content-Encoding": "gzip"}),
        Reply(b"x", headers={"Content-Encoding": "br"}),
        Reply(b"half", breaks=True),
        Reply(b"", headers={"Content-Length": "-1"}),
    ],
    ids=["no gzip", "cut", "more behind it", "another packing", "broken off", "no length"],
)
async def test_a_broken_body_is_told(api: FakeAPI, guard: Guard, reply: Reply) -> None:
    api.says("/", reply)
    with pytest.raises(LookUpFailed, match=r"127\.0\.0\.1"):
        await guard.get(f"{api.url}/", sites=SITES)


async def test_another_type_than_was_asked_for_is_left(api: FakeAPI, guard: Guard) -> None:
    api.says("/", Reply(b"MZ", "application/octet-stream"))
    with pytest.raises(LookUpFailed, match="application/octet-stream, not with text/html"):
        await guard.get(f"{api.url}/", sites=SITES, accepts=("text/html",))


async def test_a_slow_body_is_left_at_the_end_of_its_time(api: FakeAPI, guard: Guard) -> None:
    api.says("/", Reply(b"{", stalls=True))
    with pytest.raises(LookUpFailed, match=r"longer than 0\.2 seconds") as told:
        await guard.get(f"{api.url}/", sites=SITES, seconds=0.2)
    assert told.value.transient


async def test_nothing_listens(guard: Guard) -> None:
    silent = Guard(["http://127.0.0.1:9"])
    with pytest.raises(LookUpFailed, match="can't be reached") as told:
        await silent.get("http://127.0.0.1:9/", sites=SITES)
    assert told.value.transient


async def test_requests_carry_no_cookie_and_say_who_asks(api: FakeAPI, guard: Guard) -> None:
    api.says("/", Reply(b"{}", headers={"Set-Cookie": "known=1"}))
    await guard.get(f"{api.url}/", sites=SITES, agent="primum")
    await guard.get(f"{api.url}/", sites=SITES, agent="primum")
    for _, _, headers in api.requests:
        assert "cookie" not in headers and headers["user-agent"] == "primum" and headers["accept-encoding"] == "gzip"


def certificate(folder: Path, host: str) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / f"{host}.pem"
    form = serialization.PrivateFormat.PKCS8
    private = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    file.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return file


@pytest.mark.parametrize(("host", "works"), [("api.example.org", True), ("other.example.org", False)])
async def test_the_certificate_must_be_the_names_not_the_addresss(tmp_path: Path, host: str, works: bool) -> None:
    """The connection goes to an address, and still it is the name that the certificate is held against."""
    file = certificate(tmp_path, host)
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(file)
    async with FakeAPI(serving) as api:
        api.says("/", as_json({"ok": True}))
        port = api.url.rpartition(":")[2]
        url = f"https://api.example.org:{port}"
        guard = Guard([url], resolve=resolving("127.0.0.1"), tls=ssl.create_default_context(cafile=str(file)))
        if works:
            assert (await guard.get(f"{url}/", sites=())).status == 200
        else:
            with pytest.raises(LookUpFailed, match="can't be reached"):
                await guard.get(f"{url}/", sites=())
        await guard.close()
