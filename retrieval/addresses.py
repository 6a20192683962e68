"""Which IP addresses are of the open internet, and which of the house."""

import ipaddress

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
# Not public, though Python 3.11 calls them global: the host that machines in Azure ask, and examples (RFC 9637).
_KEPT = (ipaddress.ip_network("168.63.129.16/32"), ipaddress.ip_network("3fff::/20"))
_OPEN = ipaddress.ip_network("2000::/3")  # all of IPv6 that is given out


def is_public(address: str) -> bool:
    """Whether an IP address is one of the open internet, also when it is wrapped in an IPv6 address."""
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.scope_id:
            return False
        if ip in _NAT64:
            return is_public(str(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)))
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo and ip.teredo[1])
        if inner:
            return is_public(str(inner))
        if ip not in _OPEN:
            return False
    if any(ip in one for one in _KEPT):
        return False
    return ip.is_global and not (ip.is_private or ip.is_multicast or ip.is_reserved)
