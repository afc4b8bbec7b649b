"""The generated client on this client's address and token, for programs that use the generated modules themselves."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Generator
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TYPE_CHECKING

import httpx

from norce_order_async.auth.providers import bearer, checked_token
from norce_order_async.engines._logs import OURS, keep_quiet

if TYPE_CHECKING:
    from norce_order_async._api import Client
    from norce_order_async.auth.providers import TokenProvider
    from norce_order_async.pipeline.core import Core


class _ProviderAuth(httpx.Auth):
    """Puts the token of a provider on each request."""

    def __init__(self, provider: TokenProvider) -> None:
        self._provider = provider

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        request.headers["Authorization"] = bearer(checked_token(await self._provider.token()))
        before = OURS.set(True)
        try:
            yield request
        finally:
            # Another task may close this generator, and it has another context.
            with contextlib.suppress(ValueError):
                OURS.reset(before)

    def sync_auth_flow(
        self,
        request: httpx.Request,  # noqa: ARG002 - httpx's signature
    ) -> Generator[httpx.Request, httpx.Response, None]:
        raise RuntimeError("the token has to be awaited: use the asyncio functions of the generated modules")


def raw_client(core: Core) -> Client:
    """A generated client with the address, the token provider and the User-Agent of ``core``."""
    keep_quiet()
    return core.api.client()(
        base_url=core.base_url,
        headers={"User-Agent": core.user_agent},
        verify_ssl=core.http.verify,
        httpx_args={
            "auth": _ProviderAuth(core.auth),
            # No cookie is kept: one set for a merchant would be sent for the next.
            "cookies": CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            "cert": core.http.cert,
            "proxy": core.http.proxy,
            "trust_env": core.http.trust_env,
        },
    )
