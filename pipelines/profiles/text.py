"""Addresses as text, for many rows at once: each distinct one is spelled once."""

import numpy as np
import pyarrow as pa

from pipelines.capture.addresses import address_text


def address_texts(addresses: np.ndarray) -> pa.Array:
    """16-byte addresses (``headers.ADDRESS``) as text, ``192.0.2.1`` or ``2001:db8::1``."""
    raw = np.ascontiguousarray(addresses).view("V16")
    values, places = np.unique(raw, return_inverse=True)
    return pa.array([address_text(value.tobytes()) for value in values], pa.string()).take(
        pa.array(places.ravel())
    )


def mac_texts(macs: np.ndarray) -> pa.Array:
    """MAC addresses as ``02:00:00:00:00:01``; an absent one is all zeros."""
    values, places = np.unique(macs, return_inverse=True)
    texts = [
        ":".join(f"{value >> shift & 255:02x}" for shift in range(40, -1, -8))
        for value in values.tolist()
    ]
    return pa.array(texts, pa.string()).take(pa.array(places.ravel()))
