"""Community ID version 1: the same short name for a flow in Zeek, Suricata, Wireshark and here.

As specified in https://github.com/corelight/community-id-spec.
"""

import struct
from base64 import b64encode
from hashlib import sha1

from pipelines.capture.addresses import MAPPED

ICMP, ICMPV6 = 1, 58
# Protocols of which the ports enter the hash: ICMP (type and code), TCP, UDP, ICMPv6, SCTP.
WITH_PORTS = frozenset({ICMP, 6, 17, ICMPV6, 132})
# ICMP types that ask -> types that answer; every other type goes one way.
ANSWERS = {8: 0, 0: 8, 13: 14, 14: 13, 15: 16, 16: 15, 17: 18, 18: 17, 10: 9, 9: 10}
ANSWERS_V6 = {128: 129, 129: 128, 133: 134, 134: 133, 135: 136, 136: 135}
ANSWERS_V6 |= {130: 131, 131: 130, 144: 145, 145: 144}


def community_id(
    src_ip: bytes, dst_ip: bytes, src_port: int, dst_port: int, protocol: int, *, seed: int = 0
) -> str:
    """The Community ID of a flow, the same for both directions.

    Addresses have 16 bytes, IPv4 as ``::ffff:a.b.c.d``. For ICMP and ICMPv6 ``src_port`` is the
    type and ``dst_port`` the code.
    """
    one_way = False
    if protocol in (ICMP, ICMPV6):
        answer = (ANSWERS if protocol == ICMP else ANSWERS_V6).get(src_port)
        one_way = answer is None
        dst_port = dst_port if answer is None else answer
    if not one_way and (src_ip, src_port) > (dst_ip, dst_port):
        src_ip, dst_ip, src_port, dst_port = dst_ip, src_ip, dst_port, src_port
    if src_ip.startswith(MAPPED) and dst_ip.startswith(MAPPED):
        src_ip, dst_ip = src_ip[12:], dst_ip[12:]
    text = struct.pack("!H", seed) + src_ip + dst_ip + bytes((protocol, 0))
    if protocol in WITH_PORTS:
        text += struct.pack("!HH", src_port, dst_port)
    return "1:" + b64encode(sha1(text, usedforsecurity=False).digest()).decode()
