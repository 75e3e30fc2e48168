"""Certificates of a CA that lives as long as a test."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import trustme


@dataclass(frozen=True, slots=True)
class Files:
    """A certificate with its chain, and its key."""

    certificate: Path
    key: Path


class Authority:
    """A CA whose certificate is in the file `ca`; `issue` writes others below `folder`."""

    def __init__(self, folder: Path) -> None:
        self._ca = trustme.CA()
        self.folder = folder
        self.ca = folder / "ca.pem"
        self._ca.cert_pem.write_to_path(str(self.ca))

    def issue(
        self,
        name: str,
        *hosts: str,
        not_before: datetime | None = None,
        not_after: datetime | None = None,
    ) -> Files:
        """A certificate for these hosts, 127.0.0.1 if none is named, in files of that name."""
        made = self._ca.issue_cert(*(hosts or ("127.0.0.1",)), not_before=not_before, not_after=not_after)
        files = Files(self.folder / f"{name}.pem", self.folder / f"{name}.key")
        files.certificate.write_bytes(b"".join(blob.bytes() for blob in made.cert_chain_pems))
        files.key.write_bytes(made.private_key_pem.bytes())
        files.key.chmod(0o600)
        return files

    def trusted(self) -> ssl.SSLContext:
        """For clients that trust this CA and no other."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(self.ca)
        return context
