"""All profiles by name. A new one is one new Profile and one line here."""

import difflib

from pipelines.errors import InputError
from pipelines.profiles.cic import CIC
from pipelines.profiles.ipfix import IPFIX
from pipelines.profiles.nfstream import NFSTREAM
from pipelines.profiles.nprint import NPRINT
from pipelines.profiles.profile import Profile
from pipelines.profiles.traffic_text import TRAFFIC_TEXT
from pipelines.profiles.trafficllm import TRAFFICLLM_PACKETS
from pipelines.profiles.trafficllm_flows import TRAFFICLLM_FLOWS
from pipelines.profiles.zeek_conn import ZEEK_CONN

PROFILES: dict[str, Profile] = {
    profile.name: profile
    for profile in (
        NFSTREAM,
        ZEEK_CONN,
        IPFIX,
        NPRINT,
        CIC,
        TRAFFIC_TEXT,
        TRAFFICLLM_PACKETS,
        TRAFFICLLM_FLOWS,
    )
}


def find_profile(name: str) -> Profile:
    """The profile of that name. Raises InputError that names the nearest one."""
    if name not in PROFILES:
        near = difflib.get_close_matches(name, PROFILES, n=1, cutoff=0.0)[0]
        raise InputError(
            f"There is no profile {name!r}; did you mean {near}?",
            f"They are: {', '.join(PROFILES)}.",
        )
    return PROFILES[name]
