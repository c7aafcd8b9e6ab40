"""Who exists in a tenant, and the tokens that say so.

Claims: https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference. Federation:
https://learn.microsoft.com/entra/workload-id/workload-identity-federation.
"""

from __future__ import annotations

import hmac
import uuid
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any, Literal

import jwt

from rehearsal.entra.keys import SigningKey
from rehearsal.store import Store

AZURE_DATABRICKS_APP = "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d"
FEDERATION_AUDIENCE = "api://AzureADTokenExchange"
_NAMESPACE = uuid.UUID("d1b1c7a0-58c7-4c6e-9f0a-5f3f1f6c2b11")

Reason = Literal["missing", "malformed", "signature", "expired", "not yet valid", "audience", "issuer", "tenant"]
# How far a service's clock may be behind (Microsoft.IdentityModel's default allows 5 minutes; unverified for each service).
SKEW_SECONDS = 300
LONGEST_TOKEN = 64 * 1024
MOST_VERIFIED = 512


@dataclass(frozen=True)
class Principal:
    """A security principal. kind: "ServicePrincipal" or "User"; managed identities and first-party apps are the former."""

    object_id: str
    app_id: str
    display_name: str
    kind: str


class InvalidToken(Exception):
    """A bearer token that a service refuses. The text is for a log and holds no part of the token.

    issuer, audience: what it said of itself, for the services that repeat it; "" where its signature was not ours.
    """

    def __init__(self, reason: Reason, text: str, claims: Mapping[str, Any] | None = None) -> None:
        super().__init__(text)
        self.reason = reason
        self.issuer, self.audience = (str((claims or {}).get(name, "")) for name in ("iss", "aud"))


class Directory:
    """Tenants, principals, credentials and federations; issues and verifies tokens (RS256)."""

    def __init__(self, store: Store, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._tenants = store.collection("entra/tenants")
        self._principals = store.collection("entra/principals")
        self._secrets = store.collection("entra/secrets")
        self._federations = store.collection("entra/federations")
        self._chosen = store.collection("entra/chosen_ids")
        self._issuers = store.collection("entra/issuers")
        self._verified: dict[bytes, Mapping[str, Any]] = {}
        self.key = SigningKey.kept_in(store.collection("entra/keys"), "directory")

    def now(self) -> float:
        """Seconds since the epoch."""
        return self._clock()

    # Tenants and principals

    def add_tenant(self, tenant_id: str) -> None:
        """Idempotent. Every tenant has the AzureDatabricks application; its object id differs from tenant to tenant."""
        self._tenants[tenant_id] = {}
        self.add_service_principal(
            tenant_id=tenant_id,
            app_id=AZURE_DATABRICKS_APP,
            object_id=_derived("azure-databricks", tenant_id),
            display_name="AzureDatabricks",
        )

    def has_tenant(self, tenant_id: str) -> bool:
        return tenant_id in self._tenants

    def add_service_principal(
        self, *, tenant_id: str, app_id: str, object_id: str, display_name: str, client_secret: str | None = None
    ) -> Principal:
        """Idempotent; a client secret given again replaces the old one. Only the secret's hash is kept."""
        principal = Principal(object_id, app_id, display_name, "ServicePrincipal")
        self._principals[object_id.lower()] = {**asdict(principal), "tenant_id": tenant_id}
        if client_secret is not None:
            self._secrets[app_id.lower()] = sha256(client_secret.encode()).hexdigest()
        return principal

    def add_managed_identity(self, *, tenant_id: str, resource_id: str, display_name: str) -> Principal:
        """The identity of a resource; its ids are derived from the resource's id, so asking twice gives the same."""
        key = resource_id.lower()
        derived = {"app_id": _derived("identity-app", key), "object_id": _derived("identity", key)}
        ids = self._chosen.get(key) or derived
        return self.add_service_principal(tenant_id=tenant_id, display_name=display_name, **ids)

    def remove_principal(self, object_id: str) -> None:
        """Whoever it was signs in no more, and its tokens are worth nothing; a missing one is fine."""
        if (record := self._principals.get(object_id.lower())) is not None:
            del self._principals[object_id.lower()]
            if self._federations.get(record["app_id"].lower()):
                self._federations[record["app_id"].lower()] = []

    def choose_ids(self, resource_id: str, *, app_id: str, object_id: str) -> None:
        """The ids that the identity of a resource gets when it is made: a configuration may name them beforehand, as one that
        was bootstrapped elsewhere does. Idempotent."""
        self._chosen[resource_id.lower()] = {"app_id": app_id, "object_id": object_id}

    def by_object_id(self, object_id: str) -> Principal | None:
        return _principal(self._principals.get(object_id.lower()))

    def by_app_id(self, app_id: str, tenant_id: str | None = None) -> Principal | None:
        for record in self._principals.values():
            if record["app_id"].lower() == app_id.lower() and tenant_id in (None, record["tenant_id"]):
                return _principal(record)
        return None

    def principals(self, tenant_id: str) -> list[Principal]:
        """Everyone in a tenant, in the order in which they were added."""
        records = [record for record in self._principals.values() if record["tenant_id"] == tenant_id]
        return [Principal(one["object_id"], one["app_id"], one["display_name"], one["kind"]) for one in records]

    def tenant_of(self, object_id: str) -> str | None:
        record = self._principals.get(object_id.lower())
        return record["tenant_id"] if record else None

    # Credentials

    def secret_matches(self, app_id: str, client_secret: str) -> bool:
        kept = str(self._secrets.get(app_id.lower()) or "")
        return hmac.compare_digest(kept, sha256(client_secret.encode()).hexdigest())

    def add_federation(self, *, app_id: str, issuer: str, subject: str, audience: str = FEDERATION_AUDIENCE) -> None:
        """Let tokens of `issuer` for `subject` sign in as the application. Idempotent."""
        record = {"issuer": issuer, "subject": subject, "audience": audience}
        known = self._federations.get(app_id.lower()) or []
        if record not in known:
            self._federations[app_id.lower()] = [*known, record]

    def remove_federation(self, *, app_id: str, issuer: str, subject: str) -> None:
        known = self._federations.get(app_id.lower()) or []
        kept = [record for record in known if (record["issuer"], record["subject"]) != (issuer, subject)]
        if kept != known:
            self._federations[app_id.lower()] = kept

    def federations(self, app_id: str) -> list[dict[str, str]]:
        return list(self._federations.get(app_id.lower()) or [])

    def trust_issuer(self, issuer: str, public_key_pem: str) -> None:
        """The key with which an outside issuer signs: what discovery would fetch from it."""
        self._issuers[issuer] = public_key_pem

    def issuer_key(self, issuer: str) -> str | None:
        return self._issuers.get(issuer)

    # Tokens

    def issue_token(
        self, *, tenant_id: str, app_id: str, audience: str, version: Literal[1, 2] = 1, lifetime: int = 3599
    ) -> str:
        """An access token of an application for a resource; lifetime in seconds. Raises KeyError for an unknown application."""
        principal = self.by_app_id(app_id, tenant_id)
        if principal is None:
            raise KeyError(app_id)
        now = int(self._clock())
        issuer = f"https://sts.windows.net/{tenant_id}/" if version == 1 else _v2_issuer(tenant_id)
        claims: dict[str, Any] = {
            "aud": audience,
            "iss": issuer,
            "iat": now,
            "nbf": now,
            "exp": now + lifetime,
            "idp": issuer,
            "oid": principal.object_id,
            "sub": principal.object_id,
            "tid": tenant_id,
            "idtyp": "app",
            "ver": f"{version}.0",
            "uti": uuid.uuid4().hex,
            ("appid" if version == 1 else "azp"): principal.app_id,
        }
        return self.key.sign(claims)

    def aged(self, authorization: str) -> str | None:
        """The same Authorization header when its token has expired; None when it holds none of our tokens."""
        scheme, _, token = authorization.partition(" ")
        try:
            claims = jwt.decode(token, options={"verify_signature": False})
        except jwt.InvalidTokenError:
            return None
        return f"{scheme} {self.key.sign({**claims, 'exp': int(self._clock()) - 600})}"

    def claims(self, token: str, audiences: Collection[str]) -> Mapping[str, Any]:
        """The checked claims of one of our tokens. Raises InvalidToken."""
        claims = self._signed(token)
        now = self._clock()
        if not now < _moment(claims, "exp"):
            raise InvalidToken("expired", "the token has expired")
        if now + SKEW_SECONDS < _moment(claims, "nbf"):
            raise InvalidToken("not yet valid", "the token is not valid yet")
        if claims.get("aud") not in audiences:
            raise InvalidToken("audience", f"the token is for {claims.get('aud')}, not for this service", claims)
        if claims.get("iss") not in (f"https://sts.windows.net/{claims.get('tid')}/", _v2_issuer(claims.get("tid"))):
            raise InvalidToken("issuer", "the token's issuer is not its tenant", claims)
        return claims

    def _signed(self, token: str) -> Mapping[str, Any]:
        """The claims of a token with our signature; what was looked at lately is not computed again. Raises InvalidToken."""
        key = sha256(token.encode(errors="replace")).digest()
        if (known := self._verified.pop(key, None)) is None:
            known = self._verify(token)
        self._verified[key] = known  # to the end: the oldest goes first
        if len(self._verified) > MOST_VERIFIED:
            del self._verified[next(iter(self._verified))]
        return known

    def _verify(self, token: str) -> Mapping[str, Any]:
        try:
            if len(token) > LONGEST_TOKEN:
                raise jwt.InvalidTokenError
            # A service picks the key by its id: without one, or with another's, there is none to check against.
            if jwt.get_unverified_header(token).get("kid") != self.key.key_id:
                raise InvalidToken("signature", "the token names no key of this directory")
            claims: dict[str, Any] = jwt.decode(
                token,
                self.key.public,
                algorithms=["RS256"],
                options={"verify_aud": False, "verify_exp": False, "verify_nbf": False, "verify_iat": False},
            )
        except jwt.InvalidSignatureError as error:
            raise InvalidToken("signature", "the token's signature does not verify") from error
        except (jwt.InvalidTokenError, ValueError, RecursionError) as error:
            raise InvalidToken("malformed", "the token is no JSON Web Token of this tenant") from error
        return claims

    def verify(
        self, authorization_header: str | None, audiences: Collection[str], *, tenant: str | None = None
    ) -> Principal:
        """The principal that an Authorization header proves, for a service that answers to `audiences`. Raises InvalidToken.

        tenant: the only one whose tokens the service takes; None = any of this directory.
        """
        scheme, _, token = (authorization_header or "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise InvalidToken("missing", "no bearer token was sent")
        claims = self.claims(token.strip(), audiences)
        if tenant is not None and claims.get("tid") != tenant:
            raise InvalidToken("tenant", f"the token is of tenant {claims.get('tid')}, not of {tenant}", claims)
        object_id = str(claims.get("oid"))
        principal = self.by_object_id(object_id)
        if principal is None or self.tenant_of(object_id) != claims.get("tid"):
            raise InvalidToken("issuer", "the token's principal is not in this directory any more", claims)
        return principal


def _principal(record: Mapping[str, Any] | None) -> Principal | None:
    if record is None:
        return None
    return Principal(record["object_id"], record["app_id"], record["display_name"], record["kind"])


def _moment(claims: Mapping[str, Any], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidToken("malformed", f"the token has no {name}")
    return float(value)


def _v2_issuer(tenant_id: object) -> str:
    return f"https://login.microsoftonline.com/{tenant_id}/v2.0"


def _derived(kind: str, name: str) -> str:
    return str(uuid.uuid5(_NAMESPACE, f"{kind}:{name}"))
