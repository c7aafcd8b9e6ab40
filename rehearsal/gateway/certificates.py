"""Certificates for production hostnames, from an authority made for this run alone. Its key never leaves memory."""

from __future__ import annotations

import ssl
from pathlib import Path

import trustme


class Certificates:
    """Gives a TLS context per hostname. `ca_file`: this run's authority, for the clients that shall trust it."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._authority = trustme.CA(organization_name="Slipway rehearsal", organization_unit_name="this run only")
        self._contexts: dict[str, ssl.SSLContext] = {}
        self.ca_file = folder / "ca.pem"
        self._authority.cert_pem.write_to_path(str(self.ca_file))

    def context(self, host: str) -> ssl.SSLContext:
        """A server-side context with a leaf for `host`, made at the first call."""
        if host not in self._contexts:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            context.set_alpn_protocols(["http/1.1"])
            self._authority.issue_cert(host).configure_cert(context)
            self._contexts[host] = context
        return self._contexts[host]
