"""X.509 certificates (RFC 5280) as the server's Certificate message of TLS 1.2 carries them."""

import warnings
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa

from pipelines.protocols.reader import NeedData, Reader
from pipelines.protocols.shape import LONGEST_TEXT, joined

# What the library raises for content that is no certificate, when it is loaded or looked at.
DAMAGED = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)
MOST_CERTIFICATES = 16
KEY_TYPES = (
    (rsa.RSAPublicKey, "RSA"),
    (ec.EllipticCurvePublicKey, "EC"),
    (dsa.DSAPublicKey, "DSA"),
    (ed25519.Ed25519PublicKey, "Ed25519"),
    (ed448.Ed448PublicKey, "Ed448"),
)


@dataclass
class Certificate:
    """The server's own certificate. A field that could not be read is None."""

    bytes: int
    version: int | None = None
    not_before: datetime | None = None
    validity_days: float | None = None
    serial_bytes: int | None = None
    signature: str | None = None
    key_type: str | None = None
    key_bits: int | None = None
    self_issued: bool | None = None
    is_authority: bool | None = None
    extensions: int | None = None
    subject: str | None = None
    issuer: str | None = None
    subject_attributes: str | None = None
    issuer_attributes: str | None = None
    names: list[str] | None = None


def certificate_chain(body: bytes) -> list[bytes]:
    """The certificates of a Certificate message (RFC 5246 section 7.4.2) that are there whole."""
    chain: list[bytes] = []
    try:
        reader = Reader(Reader(body).vector(3))
        while reader and len(chain) < MOST_CERTIFICATES:
            certificate = reader.vector(3)
            if reader.overrun:
                break
            chain.append(certificate)
    except NeedData:
        pass
    return chain


def read_certificate(der: bytes) -> Certificate:
    """The fields of one certificate, as far as they can be read."""
    found = Certificate(len(der))
    try:
        with warnings.catch_warnings():  # the library warns of odd but readable certificates
            warnings.simplefilter("ignore")
            certificate = x509.load_der_x509_certificate(der)
            _read_names(certificate, found)
            _read_terms(certificate, found)
            _read_extensions(certificate, found)
            _read_key(certificate, found)  # last: curves and key types may be unknown
    except DAMAGED:
        pass
    return found


def _read_names(certificate: x509.Certificate, found: Certificate) -> None:
    subject, issuer = certificate.subject, certificate.issuer
    found.subject = subject.rfc4514_string()[:LONGEST_TEXT]
    found.issuer = issuer.rfc4514_string()[:LONGEST_TEXT]
    found.subject_attributes = _attributes(subject)
    found.issuer_attributes = _attributes(issuer)
    found.self_issued = subject == issuer


def _attributes(name: x509.Name) -> str:
    """Which attributes a name has, in its order: the shape of it without its words."""
    return joined(attribute.rfc4514_attribute_name for attribute in name)


def _read_terms(certificate: x509.Certificate, found: Certificate) -> None:
    found.version = certificate.version.value + 1
    found.serial_bytes = (abs(certificate.serial_number).bit_length() + 7) // 8
    found.not_before = certificate.not_valid_before_utc.astimezone(UTC)
    validity = certificate.not_valid_after_utc - certificate.not_valid_before_utc
    found.validity_days = validity.total_seconds() / 86400
    found.signature = certificate.signature_algorithm_oid.dotted_string


def _read_extensions(certificate: x509.Certificate, found: Certificate) -> None:
    extensions = certificate.extensions
    found.extensions = len(extensions)
    found.is_authority, found.names = False, []
    for extension in extensions:
        value = extension.value
        if isinstance(value, x509.BasicConstraints):
            found.is_authority = value.ca
        elif isinstance(value, x509.SubjectAlternativeName):
            found.names = [str(name.value) for name in value]


def _read_key(certificate: x509.Certificate, found: Certificate) -> None:
    key = certificate.public_key()
    found.key_type = next((name for kind, name in KEY_TYPES if isinstance(key, kind)), "other")
    found.key_bits = getattr(key, "key_size", None)
