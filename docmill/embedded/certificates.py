"""A certificate authority of one home, for servers that speak to each other and to nobody else by mutual TLS."""

import datetime
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from docmill.embedded.ports import LOOPBACK
from docmill.embedded.secrets import write_private

_LIFETIME = datetime.timedelta(days=365 * 100)  # nobody but the home's own servers ever trusts it
_BEFORE = datetime.timedelta(days=2)  # clocks are set back at times


def kept_certificates(folder: Path) -> tuple[Path, Path, Path]:
    """The files of the authority's certificate, of one certificate for server and client, and of its key.

    They are made at the first call, in mode 0600. The authority's own key is thrown away, so that nobody can ever get
    another certificate from it.
    """
    authority, certificate, key = (folder / name for name in ("ca.crt", "peer.crt", "peer.key"))
    if not all(file.exists() for file in (authority, certificate, key)):
        ca_key, peer_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        ca = _certificate("docmill home", ca_key, None, ca_key)
        peer = _certificate("docmill peer", peer_key, ca, ca_key)
        folder.mkdir(mode=0o700, exist_ok=True)
        private = peer_key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        write_private(key, private.decode())
        for file, made in ((certificate, peer), (authority, ca)):
            write_private(file, made.public_bytes(serialization.Encoding.PEM).decode())
    return authority, certificate, key


def _certificate(
    name: str, key: ec.EllipticCurvePrivateKey, issuer: x509.Certificate | None, signer: ec.EllipticCurvePrivateKey
) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BEFORE)
        .not_valid_after(now + _LIFETIME)
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
    )
    if issuer is not None:
        uses = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        names = [x509.IPAddress(ipaddress.ip_address(LOOPBACK)), x509.DNSName("localhost")]
        builder = builder.add_extension(x509.ExtendedKeyUsage(uses), critical=False)
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(signer, hashes.SHA256())
