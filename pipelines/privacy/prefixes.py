"""Prefix-preserving anonymisation: addresses of one network stay addresses of one network.

The construction is Crypto-PAn's (J. Xu, J. Fan, M. Ammar, S. Moon, Prefix-Preserving IP Address
Anonymization, ICNP 2002): each bit is turned or not by a pseudo-random function of the bits before
it, so that two addresses share exactly as many leading bits after as before. Whoever lacks the key
cannot turn it back; what traffic itself gives away, such as the busiest address, stays.
"""

from functools import lru_cache

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

KEY_BYTES = 32
BLOCK_BITS = 128


class PrefixKeeper:
    """Turns bit strings of up to 128 bits, one to one and keeping prefixes, under a 32-byte key.

    The key's first half is the cipher's, its second half makes the pad. Raises ValueError for a key
    of another length.
    """

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"a key has {KEY_BYTES} bytes, not {len(key)}")
        # One block at a time is what the construction asks for: no mode chains its bits.
        self._cipher = Cipher(algorithms.AES(key[:16]), modes.ECB())  # noqa: S305
        self._pad = int.from_bytes(self._encrypted(key[16:]), "big")
        self.turned = lru_cache(1 << 16)(self._turned)

    def _turned(self, value: int, width: int, kept: int = 0) -> int:
        """``value`` of ``width`` bits anonymised; its first ``kept`` bits are left as they are."""
        blocks = b"".join(
            self._block(value, width, place).to_bytes(16, "big") for place in range(kept, width)
        )
        flips = 0
        for first in self._encrypted(blocks)[::16]:
            flips = flips << 1 | first >> 7
        return value ^ flips

    def _block(self, value: int, width: int, place: int) -> int:
        """The first ``place`` bits of the value, then the pad."""
        rest = (1 << BLOCK_BITS - place) - 1
        return value << BLOCK_BITS - width & ~rest | self._pad & rest

    def _encrypted(self, blocks: bytes) -> bytes:
        encryptor = self._cipher.encryptor()
        return encryptor.update(blocks) + encryptor.finalize()
